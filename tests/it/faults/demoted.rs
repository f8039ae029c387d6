//! A Redis that accepts connections and answers, but refuses every write, because it has become a replica.

use crate::support::{Redis, Scene, eventually};
use fleetpulse::store::{Link, Store, StoreError};
use redis::{IntoConnectionInfo, cmd};
use std::time::{Duration, Instant};

#[actix_web::test]
async fn connections_to_a_demoted_redis_are_limited_by_backoff() {
    let scene = Scene::on(Redis::durable().await);
    let info = scene.redis.url().into_connection_info().unwrap();
    let store = Store::new(info, scene.keys(), Duration::from_secs(1)).unwrap();
    let link = Link::open(&store);
    let mut write = cmd("SET");
    write.arg(scene.keys().layout()).arg(1);
    link.query::<()>(&write).await.unwrap();
    let mut demote = cmd("REPLICAOF");
    scene.redis.query::<()>(demote.arg("127.0.0.1").arg(1)).await;

    let connections = async || -> u64 {
        let stats: String = scene.redis.query(cmd("INFO").arg("stats")).await;
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = connections().await;
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        // As a client that waits for Redis does.
        link.connected().await;
        let answer = link.query::<()>(&write).await;
        assert!(
            matches!(answer, Err(StoreError::Lost(_) | StoreError::Unavailable)),
            "{answer:?}"
        );
    }
    let made = connections().await - before;
    assert!((2..30).contains(&made), "{made}");

    let mut promote = cmd("REPLICAOF");
    scene.redis.query::<()>(promote.arg("NO").arg("ONE")).await;
    eventually(Duration::from_secs(20), "it is of use again", async || {
        link.query::<()>(&write).await.ok()
    })
    .await;
}
