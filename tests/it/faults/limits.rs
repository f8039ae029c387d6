//! More entities than the settings allow.

use super::{NOTICE, SOON, here, here_at, is_stored};
use crate::support::{Redis, Scene, eventually, now_ms};
use fleetpulse::kind::Kind;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::cmd;
use serde_json::json;

#[actix_web::test]
async fn a_full_queue_is_a_503_with_retry_after() {
    // A timeout that is so long that the service keeps waiting for the frozen Redis during the test.
    let flags = ["--workers=1", "--writer-queue=4", "--redis-timeout=30000"];
    let scene = Scene::on(Redis::durable().await).with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-0", here()).await;
    let batch: Vec<_> = (0..5)
        .map(|n| json!({"id": format!("b-{n}"), "lat": 1, "lon": 1}))
        .collect();

    scene.redis.freeze();
    let at = now_ms();
    let mut waiting: FuturesUnordered<_> = (1..=6)
        .map(|n| {
            let api = api.clone();
            async move { api.post_fix(&format!("d-{n}"), here_at(at)).await }
        })
        .collect();
    // Four are queued; the others are refused at once.
    for _ in 0..2 {
        let refused = waiting.next().await.unwrap();
        refused.assert_problem(503, &[]);
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
    }
    api.post_batch(&json!(batch[..4])).await.assert_problem(503, &[]);
    api.post_batch(&json!(batch)).await.assert_problem(413, &[]);
    scene.redis.thaw();
    while let Some(answer) = waiting.next().await {
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    // The queue is free again, and refused positions were not stored.
    api.place("d-9", here()).await;
    assert_eq!(api.position("b-0").await.status, 404);
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857&limit=100").await.ids().len(), 6);
}

#[actix_web::test]
async fn the_number_of_entities_is_limited() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--max-entities=3", NOTICE]);
    scene.redis.kill();
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms();
    for id in ["d-1", "d-2", "d-3"] {
        assert_eq!(api.post_fix(id, here_at(at)).await.status, 202);
    }
    let refused = api.post_fix("d-4", here_at(at)).await;
    refused.assert_problem(503, &[]);
    assert!(refused.retry_after.is_some());
    // A removal that it cannot keep is not acknowledged, nor are the profile members of a late position of an unknown entity.
    api.forget("d-4").await.assert_problem(503, &[]);
    assert_eq!(api.forget("d-3").await.status, 202);
    assert_eq!(api.post_fix("d-3", here_at(at + 60_000)).await.status, 202);
    let mut late = here_at(at - 400_000);
    assert_eq!(api.post_fix("d-4", late.clone()).await.body["outcome"], "stale");
    late["status"] = json!("busy");
    api.post_fix("d-4", late).await.assert_problem(503, &[]);
    // Known entities may move, and another kind has its own limit.
    assert_eq!(api.post_fix("d-1", here_at(at + 1)).await.status, 202);
    assert_eq!(service.api("vehicles").post_fix("v-1", here_at(at)).await.status, 202);
    let mixed = json!([{"id": "d-1", "lat": 1, "lon": 1}, {"id": "d-5", "lat": 1, "lon": 1}]);
    let answer = api.post_batch(&mixed).await.body;
    assert_eq!(
        (&answer["buffered"], &answer["rejected"][0]["index"]),
        (&1.into(), &1.into())
    );

    scene.redis.restart().await;
    is_stored(&scene, "d-2", at).await;
    eventually(SOON, "what was refused is nowhere", async || {
        let stored: usize = scene.redis.query(cmd("ZCARD").arg(scene.geo(Kind::Drivers))).await;
        (stored == 3).then_some(())
    })
    .await;
}
