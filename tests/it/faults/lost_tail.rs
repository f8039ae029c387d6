use super::{NOTICE, SOON, becomes, here_at, is_stored, stored_ms};
use crate::support::{Redis, Scene, eventually, now_ms};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::json;

#[actix_web::test]
async fn lost_data_of_redis_are_restored_and_sequences_continue() {
    let mut scene = Scene::on(Redis::forgetful().await).with(&[NOTICE]);
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    let at = now_ms();
    for n in 0..20 {
        one.place(&format!("d-{n}"), here_at(at + n)).await;
    }
    assert_eq!(one.forget("d-7").await.status, 204);
    eventually(SOON, "the other instance has received everything", async || {
        (two.position("d-19").await.status == 200 && two.position("d-7").await.status == 404).then_some(())
    })
    .await;
    let sequence = cmd("GET").arg(scene.keys().sequence(Kind::Drivers, 0)).to_owned();
    let reached: u64 = scene.redis.query(&sequence).await;

    scene.redis.kill();
    becomes(&one, "degraded").await;
    scene.redis.restart().await;
    for api in [&one, &two] {
        becomes(api, "ok").await;
    }
    for n in (0..20).filter(|n| *n != 7) {
        is_stored(&scene, &format!("d-{n}"), at + n).await;
    }
    assert_eq!(stored_ms(&scene, "d-7").await, None);
    let indexed: Vec<String> = scene
        .redis
        .query(cmd("ZRANGE").arg(scene.geo(Kind::Drivers)).arg(0).arg(-1))
        .await;
    assert_eq!(indexed.len(), 19);

    // If the numbers started again, the other instance would treat the next messages as old.
    let goes_on: u64 = scene.redis.query(&sequence).await;
    assert!(goes_on >= reached, "{goes_on} after {reached}");
    // Accepted even if this worker is not connected again yet.
    let moved = json!({"lat": 40.75, "lon": -73.9857, "timestamp": at + 100});
    assert!([202, 204].contains(&one.post_fix("d-0", moved).await.status));
    eventually(SOON, "the other instance receives the next messages", async || {
        (two.position("d-0").await.body["lat"] == 40.75).then_some(())
    })
    .await;
    for api in [&one, &two] {
        assert_eq!(api.position("d-7").await.status, 404);
    }
}
