//! Queues of jobs: a file per subject.

mod books;
mod embedded;

use crate::support::{Redis, Scene};
use books::Books;
use fleetpulse::config::JobSettings;
use fleetpulse::ids::Id;
use fleetpulse::jobs::{End, Jobs, LeaseRequest, Leased, NewJob, Settlement, Wakeups};
use fleetpulse::store::{Link, Store};
use redis::IntoConnectionInfo;
use serde_json::value::RawValue;
use std::time::Duration;

/// Longer than anything here takes that comes soon.
const SOON: Duration = Duration::from_secs(20);

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// A job that says which it is.
fn job(n: usize) -> NewJob {
    NewJob::new("count", json(&n.to_string()))
}

/// Which it is.
fn number(leased: &Leased) -> usize {
    leased.payload.get().parse().unwrap()
}

fn numbers(leased: &[Leased]) -> Vec<usize> {
    leased.iter().map(number).collect()
}

fn ended(leased: &Leased, end: End) -> Settlement {
    Settlement {
        id: leased.id.clone(),
        token: leased.token,
        end,
    }
}

fn completed(leased: &Leased) -> Settlement {
    ended(leased, End::Complete { result: None })
}

/// As many as there are now.
fn up_to(count: usize) -> LeaseRequest {
    LeaseRequest::of(count)
}

/// The Rust interface as another process would have it: with a connection and a subscription of its own.
async fn embedded<R: AsRef<Redis>>(scene: &Scene<R>) -> Jobs {
    embedded_with(scene, JobSettings::default()).await
}

async fn embedded_with<R: AsRef<Redis>>(scene: &Scene<R>, settings: JobSettings) -> Jobs {
    let address = scene.redis.as_ref().url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(2)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Jobs::new(link, Wakeups::listen(&store), settings)
}
