//! The newest fix of an entity wins, regardless of the order and the instance in which they arrive.

use super::SOON;
use crate::support::{Api, Scene, eventually, now_ms};
use fleetpulse::geo::{Point, distance_m};
use fleetpulse::kind::Kind;
use futures_util::future::{join_all, select};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use redis::cmd;
use serde_json::{Value, json};

const DRIVERS: usize = 40;
const FIXES_EACH: i64 = 25;

/// A driver's fix at a time; its place encodes the time.
fn fix(driver: usize, base_ms: i64, moment: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (lat, lon) = (driver as f64, moment as f64 * 0.01);
    json!({"id": format!("d-{driver}"), "lat": lat, "lon": lon, "timestamp": base_ms + moment})
}

/// Every fix of every driver, shuffled.
fn shuffled(rng: &mut StdRng, base_ms: i64) -> Vec<Value> {
    let mut fixes: Vec<Value> = (0..DRIVERS)
        .flat_map(|driver| (0..FIXES_EACH).map(move |moment| fix(driver, base_ms, moment)))
        .collect();
    fixes.shuffle(rng);
    fixes
}

/// Both instances, the snapshot and the index hold each driver's last fix.
async fn all_agree(scene: &Scene, instances: &[Api], base_ms: i64) {
    let geo = scene.geo(Kind::Drivers);
    for driver in 0..DRIVERS {
        let (id, newest) = (format!("d-{driver}"), fix(driver, base_ms, FIXES_EACH - 1));
        let snapshot: String = scene
            .redis
            .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, &id)))
            .await;
        let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
        assert_eq!(snapshot["ts_ms"], newest["timestamp"], "{id}");
        let place = |value: &Value| Point::new(value["lat"].as_f64().unwrap(), value["lon"].as_f64().unwrap()).unwrap();
        assert_eq!(place(&snapshot), place(&newest), "{id}");
        let indexed: Vec<(f64, f64)> = scene.redis.query(cmd("GEOPOS").arg(&geo).arg(&id)).await;
        let indexed = Point::new(indexed[0].1, indexed[0].0).unwrap();
        assert!(distance_m(indexed, place(&newest)) < 0.5, "{id}: {indexed:?}");
        for api in instances {
            eventually(SOON, "every instance has the newest", async || {
                let answer = api.position(&id).await;
                (answer.status == 200 && place(&answer.body) == place(&newest)).then_some(())
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn shuffled_batches_through_two_instances_end_with_the_newest() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    let mut rng = StdRng::seed_from_u64(4);
    let base_ms = now_ms() - 10_000;
    let fixes = shuffled(&mut rng, base_ms);
    for (n, batch) in fixes.chunks(50).enumerate() {
        let answer = instances[n % 2].post_batch(&json!(batch)).await.body;
        let (accepted, stale) = (answer["accepted"].as_u64().unwrap(), answer["stale"].as_u64().unwrap());
        assert_eq!(accepted + stale, batch.len() as u64, "{answer}");
    }
    all_agree(&scene, &instances, base_ms).await;
}

/// Pushes fixes through two instances, with twenty senders at once, half of them with single fixes, and some fixes sent by both ways.
async fn push(fixes: &[Value], instances: &[Api; 2]) {
    let senders = fixes.chunks(50).enumerate().map(|(n, fixes)| {
        let (api, other) = (&instances[n % 2], &instances[(n + 1) % 2]);
        async move {
            for (n, batch) in fixes.chunks(5).enumerate() {
                if n % 2 == 0 {
                    assert_eq!(api.post_batch(&json!(batch)).await.status, 200);
                } else {
                    for fix in batch {
                        let status = api.post_fix(fix["id"].as_str().unwrap(), fix.clone()).await.status;
                        assert!(matches!(status, 200 | 204), "{status}");
                    }
                    assert_eq!(other.post_batch(&json!(batch)).await.status, 200);
                }
            }
        }
    });
    join_all(senders).await;
}

#[actix_web::test]
async fn concurrent_pushes_through_two_instances_end_with_the_newest() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    let mut rng = StdRng::seed_from_u64(5);
    let base_ms = now_ms() - 10_000;
    push(&shuffled(&mut rng, base_ms), &instances).await;
    all_agree(&scene, &instances, base_ms).await;
}

#[actix_web::test]
async fn batches_in_progress_at_a_script_flush_end_with_the_newest() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    let mut rng = StdRng::seed_from_u64(7);
    let base_ms = now_ms() - 10_000;
    let fixes = shuffled(&mut rng, base_ms);
    let forgetting = async {
        loop {
            scene.redis.query::<()>(cmd("SCRIPT").arg("FLUSH")).await;
        }
    };
    select(Box::pin(push(&fixes, &instances)), Box::pin(forgetting)).await;
    all_agree(&scene, &instances, base_ms).await;
}

#[actix_web::test]
async fn all_instances_choose_the_same_of_equally_new_fixes() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    let mut rng = StdRng::seed_from_u64(6);
    let at = now_ms() - 5_000;
    let lats: Vec<f64> = (0..60).map(|_| rng.random_range(-80.0..80.0)).collect();
    let pushes = lats.iter().enumerate().map(|(n, lat)| {
        let id = format!("d-{}", n % 5);
        let api = &instances[n % 2];
        async move {
            let pushed = api.post_fix(&id, json!({"lat": lat, "lon": 0, "timestamp": at})).await;
            // A fix that was received earlier and reaches Redis later is stale.
            assert!(matches!(pushed.status, 200 | 204), "{pushed:?}");
        }
    });
    join_all(pushes).await;
    for driver in 0..5 {
        let id = format!("d-{driver}");
        let snapshot: String = scene
            .redis
            .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, &id)))
            .await;
        let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
        for api in &instances {
            eventually(SOON, "Redis and every instance hold the same", async || {
                (api.position(&id).await.body["lat"] == snapshot["lat"]).then_some(())
            })
            .await;
        }
    }
}
