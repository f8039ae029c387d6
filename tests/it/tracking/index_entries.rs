//! Entries of Redis's GEO index are removed with their snapshots, even if no live index has them.

use super::SOON;
use crate::support::{Redis, Scene, eventually};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};

fn fleet(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"id": format!("d-{n}"), "lat": 1, "lon": 1}))
        .collect()
}

async fn is_empty(scene: &Scene<impl AsRef<Redis>>) {
    eventually(2 * SOON, "the index is empty", async || {
        let left: u64 = scene
            .redis
            .as_ref()
            .query(cmd("ZCARD").arg(scene.geo(Kind::Drivers)))
            .await;
        (left == 0).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn index_entries_without_room_in_a_full_live_index_expire() {
    let scene = Scene::new().await.with(&["--ttl=3", "--max-entities=50"]);
    let (one, _two) = (scene.start().await, scene.start().await);
    let answer = one.drivers().post_batch(&json!(fleet(500))).await.body;
    assert_eq!(answer["accepted"], 500, "{answer}");
    is_empty(&scene).await;
}

#[actix_web::test]
async fn index_entries_loaded_after_their_ttl_expire() {
    let scene = Scene::new().await;
    let patient = {
        let mut args = scene.args();
        args.push("--ttl=6".to_owned());
        crate::support::Service::start(&args).await
    };
    patient.drivers().place_all(&fleet(100)).await;
    drop(patient);
    // When it loads them they have expired by its TTL, and Redis keeps them for some more seconds.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let scene = scene.with(&["--ttl=1"]);
    let hasty = scene.start().await;
    assert!(hasty.drivers().nearby("lat=1&lon=1").await.ids().is_empty());
    let left: u64 = scene.redis.query(cmd("ZCARD").arg(scene.geo(Kind::Drivers))).await;
    assert_eq!(left, 100);
    is_empty(&scene).await;
}
