//! Faults, and the guarantees during and after them.

mod demoted;
mod embedded;
mod feed;
mod foreign_keys;
mod frozen;
mod full_disk;
mod limits;
mod load;
mod lost_tail;
mod matrix;
mod outages;
mod panics;
mod refusals;
mod replicas;
mod stopping;
mod storm;
mod undelivered;

use crate::support::{Api, Redis, Scene, eventually};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any recovery takes.
const SOON: Duration = Duration::from_secs(20);
/// A short timeout, so that an unavailable Redis is detected soon.
const NOTICE: &str = "--redis-timeout=300";

/// A place that all tests here use.
fn here() -> Value {
    json!({"lat": 40.7484, "lon": -73.9857})
}

/// The same with its time.
fn here_at(timestamp_ms: i64) -> Value {
    json!({"lat": 40.7484, "lon": -73.9857, "timestamp": timestamp_ms})
}

/// Waits until health has this status.
async fn becomes(api: &Api, status: &str) {
    eventually(SOON, status, async || {
        (api.get("/health").await.body["status"] == status).then_some(())
    })
    .await;
}

/// Reports a fix until Redis has it: each worker has a connection of its own, and health is about one.
async fn is_taken(api: &Api, id: &str, fix: Value) {
    eventually(SOON, "every worker has Redis again", async || {
        (api.post_fix(id, fix.clone()).await.status == 204).then_some(())
    })
    .await;
}

/// The time of an entity's snapshot in Redis, if there is one.
async fn stored_ms(scene: &Scene<impl AsRef<Redis>>, id: &str) -> Option<i64> {
    let key = scene.snapshot(Kind::Drivers, id);
    let json: Option<String> = scene.redis.as_ref().query(cmd("GET").arg(key)).await;
    let snapshot: Value = serde_json::from_str(&json?).unwrap();
    snapshot["deleted"]
        .is_null()
        .then(|| snapshot["ts_ms"].as_i64().unwrap())
}

/// Waits until Redis has an entity's fix of this time.
async fn is_stored(scene: &Scene<impl AsRef<Redis>>, id: &str, timestamp_ms: i64) {
    eventually(SOON, &format!("{id} is in Redis"), async || {
        (stored_ms(scene, id).await == Some(timestamp_ms)).then_some(())
    })
    .await;
}
