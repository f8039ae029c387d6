//! Leases with fences: a file per subject.

mod bad_input;
mod calls;
mod faults;
mod fence;
mod guard;
mod model;
mod storm;
mod waiting;

use crate::support::{Answer, Api, Redis, Scene, Service, ServiceProcess, eventually, send};
use fleetpulse::ids::Id;
use fleetpulse::locks::{LockSettings, Locks, Wakeups};
use fleetpulse::store::{Link, Store};
use redis::IntoConnectionInfo;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A timeout that is longer than any expected event takes.
const SOON: Duration = Duration::from_secs(20);

/// The calls of one instance about locks.
#[derive(Clone)]
struct LockApi(Api);

impl LockApi {
    fn of(service: &Service) -> Self {
        Self(service.drivers())
    }

    fn of_process(service: &ServiceProcess) -> Self {
        Self(service.drivers())
    }

    async fn acquire(&self, name: &str, body: Value) -> Answer {
        send(self.0.request(Method::POST, &format!("/v1/locks/{name}")).json(&body)).await
    }

    /// Acquires a lock for this duration.
    async fn grant(&self, name: &str, ttl_ms: u64) -> (String, u64) {
        granted(&self.acquire(name, json!({"ttl_ms": ttl_ms})).await)
    }

    async fn renew(&self, name: &str, body: Value) -> Answer {
        let path = format!("/v1/locks/{name}/renew");
        send(self.0.request(Method::POST, &path).json(&body)).await
    }

    async fn release(&self, name: &str, token: &str) -> Answer {
        let request = self.0.request(Method::DELETE, &format!("/v1/locks/{name}"));
        send(request.json(&json!({ "token": token }))).await
    }

    async fn look(&self, name: &str) -> Answer {
        self.0.get(&format!("/v1/locks/{name}")).await
    }

    /// Waits until this many requests wait for a held lock.
    async fn has_waiting(&self, name: &str, count: u64) {
        eventually(SOON, &format!("{count} wait for {name}"), async || {
            (self.look(name).await.body["waiting"] == count).then_some(())
        })
        .await;
    }

    /// Waits until a lock is free.
    async fn is_free(&self, name: &str) {
        eventually(SOON, &format!("{name} is free"), async || {
            (self.look(name).await.status == 404).then_some(())
        })
        .await;
    }
}

/// The token and the fence of a grant.
#[track_caller]
fn granted(answer: &Answer) -> (String, u64) {
    assert_eq!(answer.status, 201, "{answer:?}");
    let token = answer.body["token"].as_str().expect("a token").to_owned();
    (token, answer.body["fence"].as_u64().expect("a fence"))
}

fn name(name: &str) -> Id {
    Id::parse(name).unwrap()
}

/// The Rust interface as another process would have it: with a connection and a subscription of its own.
async fn embedded(scene: &Scene<impl AsRef<Redis>>) -> Locks {
    embedded_at(&scene.redis.as_ref().url(), scene).await
}

/// The same over another connection to the scene's Redis.
async fn embedded_at(url: &str, scene: &Scene<impl AsRef<Redis>>) -> Locks {
    embedded_with(url, scene, Duration::from_millis(300)).await
}

/// Does the same with another timeout for answers of Redis.
async fn embedded_with(url: &str, scene: &Scene<impl AsRef<Redis>>, patience: Duration) -> Locks {
    let store = Store::new(url.into_connection_info().unwrap(), scene.keys(), patience).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Locks::new(link, Wakeups::listen(&store), LockSettings::default())
}
