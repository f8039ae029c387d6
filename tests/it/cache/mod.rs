//! The shared cache: a file per subject.

mod entries;

use crate::support::{Redis, Scene};
use fleetpulse::cache::{Cache, Put, Shared};
use fleetpulse::config::CacheSettings;
use fleetpulse::ids::Id;
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::Metrics;
use redis::IntoConnectionInfo;
use std::time::Duration;

/// Longer than anything here takes that comes soon.
const SOON: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

fn id(id: &str) -> Id {
    Id::parse(id).unwrap()
}

/// Fresh for a minute.
fn minute() -> Put {
    Put::fresh_for(MINUTE)
}

/// The Rust interface as another process would have it: with a connection, a subscription and a memory of its own.
async fn embedded(scene: &Scene<impl AsRef<Redis>>) -> Cache {
    embedded_at(&scene.redis.as_ref().url(), scene).await
}

/// The same by another way to the scene's Redis.
async fn embedded_at(url: &str, scene: &Scene<impl AsRef<Redis>>) -> Cache {
    let info = url.into_connection_info().unwrap();
    let store = Store::new(info, scene.keys(), Duration::from_millis(300)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    let shared = Shared::new(&store, CacheSettings::default(), &Metrics::new().unwrap());
    Cache::new(link, shared)
}
