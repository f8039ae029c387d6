//! The shared cache: a file per subject.

mod bad_input;
mod calls;
mod compute;
mod corrupt;
mod crowds;
mod document;
mod entries;
mod events;
mod invalidate;
mod leases;
mod local;
mod messages;
mod model;
mod outages;
mod regressions;
mod storm;
mod tickets;
mod warm;

use crate::support::{Answer, Api, Redis, Scene, Service, send};
use fleetpulse::cache::{Cache, CacheMetrics, CacheSettings, Policy, Put, Shared};
use fleetpulse::ids::Id;
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use redis::IntoConnectionInfo;
use reqwest::Method;
use serde_json::Value;
use std::convert::Infallible;
use std::time::Duration;

/// The setting that allows keys to be listed, and the header of the request.
const LISTING: [&str; 1] = ["--cache-listing-token=0123456789abcdefghijkl"];

/// A timeout that is longer than any expected event takes.
const SOON: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

fn id(id: &str) -> Id {
    Id::parse(id).unwrap()
}

/// Fresh for a minute.
fn minute() -> Put {
    Put::fresh_for(MINUTE)
}

/// For a minute, under one tag.
fn tagged(tag: &str) -> Policy {
    Policy::new(minute().tagged([id(tag)]))
}

/// The Rust interface as another process would have it: with a connection, a subscription and a memory of its own.
async fn embedded(scene: &Scene<impl AsRef<Redis>>) -> Cache {
    embedded_at(&scene.redis.as_ref().url(), scene).await
}

/// The same over another connection to the scene's Redis.
async fn embedded_at(url: &str, scene: &Scene<impl AsRef<Redis>>) -> Cache {
    embedded_with(url, scene, CacheSettings::default()).await
}

async fn embedded_with(url: &str, scene: &Scene<impl AsRef<Redis>>, settings: CacheSettings) -> Cache {
    let info = url.into_connection_info().unwrap();
    let store = Store::new(info, scene.keys(), Duration::from_millis(300)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    let shared = Shared::new(
        &store,
        settings,
        &CacheMetrics::register(&MetricsRegistry::default()).unwrap(),
    );
    Cache::new(link, shared)
}

/// The value under a key, `computed` if there is none.
async fn get_or(cache: &Cache, namespace: &str, key: &str, policy: &Policy, computed: u64) -> u64 {
    let compute = move || async move { Ok::<_, Infallible>(computed) };
    let fetched = cache.get_or_compute(&id(namespace), key, policy, compute).await;
    fetched.unwrap().value
}

/// The calls of one instance about the cache.
#[derive(Clone)]
struct CacheApi(Api);

impl CacheApi {
    fn of(service: &Service) -> Self {
        Self(service.drivers())
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.0.request(Method::PUT, &format!("/v1/cache/{path}")).json(&body)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.0.request(Method::POST, &format!("/v1/cache/{path}")).json(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.0.request(Method::PATCH, &format!("/v1/cache/{path}")).json(&body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.0.get(&format!("/v1/cache/{path}")).await
    }

    /// With the token of [`LISTING`].
    async fn list(&self, path: &str) -> Answer {
        let request = self.0.request(Method::GET, &format!("/v1/cache/{path}"));
        send(request.bearer_auth("0123456789abcdefghijkl")).await
    }

    async fn delete(&self, path: &str) -> Answer {
        send(self.0.request(Method::DELETE, &format!("/v1/cache/{path}"))).await
    }
}
