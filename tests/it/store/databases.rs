//! Deployments in different databases of one server.

use super::SOON;
use crate::support::{Scene, Service, eventually, send};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use fleetpulse::store::Keys;
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::collections::HashSet;

/// Starts an instance on a database of the scene's Redis.
async fn on_database(scene: &Scene, number: u8) -> Service {
    let mut args = scene.args();
    args.push(format!("--redis-url={}/{number}", scene.redis.url()));
    Service::start(&args).await
}

#[actix_web::test]
async fn databases_of_one_server_do_not_receive_positions_of_each_other() {
    let scene = Scene::new().await;
    let staging = on_database(&scene, 0).await;
    let (live, other_live) = (on_database(&scene, 1).await, on_database(&scene, 1).await);
    let (staging, live, other_live) = (staging.drivers(), live.drivers(), other_live.drivers());
    staging.place("staging-1", json!({"lat": 1, "lon": 1})).await;
    other_live.place("live-1", json!({"lat": 1, "lon": 1})).await;
    // Messages arrive in order, so an update of the other database would have arrived by then.
    eventually(SOON, "the update of the same database is received", async || {
        (live.position("live-1").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(live.position("staging-1").await.status, 404);
    assert_eq!(live.nearby("lat=1&lon=1").await.ids(), ["live-1"]);
    assert_eq!(staging.position("live-1").await.status, 404);
}

#[actix_web::test]
async fn every_channel_of_an_instance_contains_its_database() {
    let scene = Scene::new().await;
    let service = on_database(&scene, 1).await;
    let api = service.drivers();
    // The first waiters, and the first value cached in the process, start the other subscriptions.
    let post = async |path: &str, body| send(api.request(Method::POST, path).json(&body)).await.status;
    assert_eq!(post("/v1/locks/l", json!({"ttl_ms": 30_000})).await, 201);
    assert_eq!(
        post("/v1/locks/l", json!({"ttl_ms": 30_000, "wait_ms": 200})).await,
        504
    );
    assert_eq!(post("/v1/queues/q/lease", json!({"wait_ms": 1})).await, 200);
    send(
        api.request(Method::PUT, "/v1/cache/n/k")
            .json(&json!({"value": 1, "ttl_s": 60, "local_ms": 5_000})),
    )
    .await;
    send(api.request(Method::GET, "/v1/cache/n/k")).await;
    let keys = scene.keys().in_database(1);
    let begins = keys.queue_wake().replace("queue-wake", "");
    let everywhere = begins.replace("db1:", "*");
    let expected = ["cache", "lock-wake", "queue-wake", "updates"];
    eventually(SOON, "it listens to all its channels", async || {
        let mut channels = cmd("PUBSUB");
        let channels: Vec<String> = scene.redis.query(channels.arg("CHANNELS").arg(&everywhere)).await;
        assert!(channels.iter().all(|name| name.starts_with(&begins)), "{channels:?}");
        let listens = |what: &&str| channels.iter().any(|name| name[begins.len()..].starts_with(what));
        expected.iter().all(listens).then_some(())
    })
    .await;
}

#[test]
fn channels_of_another_database_or_prefix_have_other_names() {
    let id = Id::parse("a").unwrap();
    let channels = |keys: &Keys| {
        vec![
            keys.updates(Kind::Drivers, 0),
            keys.inventory_events(0),
            keys.lock_wake("0a1b"),
            keys.queue_wake(),
            keys.cache_channel(),
        ]
    };
    let here = Keys::new("fp:", 1);
    let all: Vec<_> = [
        here.clone(),
        here.clone().in_database(1),
        here.clone().in_database(11),
        Keys::new("fp:db1:", 1),
        Keys::new("other:", 1),
    ]
    .iter()
    .flat_map(channels)
    .collect();
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    // Keys are the same in every database.
    assert_eq!(here.clone().in_database(1).lock(&id), here.lock(&id));
}
