//! Updates of other instances that arrive late.

use super::{SOON, here};
use crate::support::{Proxy, Redis, Scene, Service, eventually, now_ms};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::json;
use std::time::Duration;

#[actix_web::test]
async fn changes_of_profiles_do_not_delay_positions() {
    let scene = Scene::new().await;
    let far = Proxy::far_from(&scene.redis.url(), Duration::from_millis(50)).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", far.url()));
    let (far_away, near) = (Service::start(&args).await, scene.start().await);
    let (far_away, near) = (far_away.drivers(), near.drivers());
    for n in 0..300 {
        near.place(&format!("d-{n}"), here()).await;
    }
    for n in 0..300 {
        near.patch_profile(&format!("d-{n}"), json!({"status": "busy"})).await;
    }
    near.place("last", here()).await;
    // Sequential reads would take at least 300 times 50 ms.
    eventually(Duration::from_secs(8), "the position is received", async || {
        (far_away.position("last").await.status == 200).then_some(())
    })
    .await;
    eventually(Duration::from_secs(8), "the profiles are read", async || {
        let query = "lat=40.7484&lon=-73.9857&status=busy&limit=1000";
        (far_away.nearby(query).await.ids().len() == 300).then_some(())
    })
    .await;
}

/// Publishes a message of another instance with a sent time in the past.
async fn publish(scene: &Scene, age_ms: i64) {
    let keys = scene.keys();
    let sequence: u64 = scene
        .redis
        .query(cmd("INCR").arg(keys.sequence(Kind::Drivers, 0)))
        .await;
    let message = format!(
        "{{\"origin\":\"0123456789abcdef\",\"sent_ms\":{},\"partition\":0,\"seq\":{sequence},\"fixes\":[]}}",
        now_ms() - age_ms
    );
    let channel = keys.updates(Kind::Drivers, 0);
    let _: u64 = scene.redis.query(cmd("PUBLISH").arg(channel).arg(message)).await;
}

#[actix_web::test]
async fn answers_are_stale_while_updates_come_late() {
    let scene = Scene::new().await.with(&["--feed-max-lag=60000"]);
    let service = scene.start().await;
    let api = service.drivers();
    let is_stale = async || api.nearby("lat=0&lon=0").await.body["stale"] == true;
    // The other instance's clock is an hour behind.
    publish(&scene, 3_600_000).await;
    publish(&scene, 3_600_000).await;
    assert!(!is_stale().await, "a different clock is not a lag");
    publish(&scene, 3_600_000 + 100_000).await;
    eventually(SOON, "answers are stale", async || is_stale().await.then_some(())).await;
    let health = api.get("/health").await.body;
    let part = &health["parts"]["live_index"];
    assert!(part["why"].as_str().is_some_and(|why| why.contains("late")), "{health}");
    // No further message arrives, so there is no lag.
    eventually(SOON, "answers are fresh", async || (!is_stale().await).then_some(())).await;
    assert_eq!(api.get("/health").await.body["status"], "ok");
}

#[actix_web::test]
async fn a_feed_that_is_far_behind_is_replaced_by_a_load() {
    let scene = Scene::on(std::sync::Arc::new(Redis::forgetful().await)).with(&["--feed-max-lag=1000"]);
    let service = scene.start().await;
    let api = service.drivers();
    let reloads = async || {
        let metrics = api.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("fleetpulse_feed_reloads_total"));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = reloads().await;
    publish(&scene, 0).await;
    publish(&scene, 100_000).await;
    eventually(SOON, "everything is loaded again", async || {
        (reloads().await > before).then_some(())
    })
    .await;
    eventually(SOON, "answers are fresh", async || {
        (api.nearby("lat=0&lon=0").await.body["stale"] == false).then_some(())
    })
    .await;
}
