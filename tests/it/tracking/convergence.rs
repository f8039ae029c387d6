//! After any concurrent calls about an entity through two instances, both converge to the state of Redis.

use super::SOON;
use crate::support::{Api, Scene, eventually};
use fleetpulse::kind::Kind;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::cmd;
use serde_json::{Value, json};

const DRIVERS: usize = 6;

/// Returns the position of an entity in Redis, if there is one.
async fn in_redis(scene: &Scene, id: &str) -> Option<Value> {
    let snapshot: Option<String> = scene
        .redis
        .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, id)))
        .await;
    let snapshot: Value = serde_json::from_str(&snapshot?).unwrap();
    let rank: Option<u64> = scene
        .redis
        .query(cmd("ZRANK").arg(scene.geo(Kind::Drivers)).arg(id))
        .await;
    assert_eq!(
        rank.is_some(),
        snapshot["deleted"] != true,
        "the index agrees: {snapshot}"
    );
    rank.map(|_| snapshot)
}

#[actix_web::test]
async fn fixes_and_removals_converge_on_all_instances() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    // Each sender continues as soon as it is answered, so many calls fall into one millisecond.
    let senders = (0..8_u64).map(|sender| {
        let api = &instances[usize::from(sender % 2 == 0)];
        async move {
            let mut rng = StdRng::seed_from_u64(sender);
            for _ in 0..60 {
                let id = format!("d-{}", rng.random_range(0..DRIVERS));
                if rng.random_ratio(1, 3) {
                    assert_eq!(api.forget(&id).await.status, 204);
                } else {
                    let lat = rng.random_range(-80.0..80.0);
                    let answer = api.post_fix(&id, json!({"lat": lat, "lon": 0})).await;
                    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
                }
            }
        }
    });
    join_all(senders).await;
    for id in (0..DRIVERS).map(|driver| format!("d-{driver}")) {
        let truth = in_redis(&scene, &id).await;
        for api in &instances {
            eventually(SOON, "every instance agrees with Redis", async || {
                let answer = api.position(&id).await;
                let agrees = match &truth {
                    Some(snapshot) => answer.status == 200 && answer.body["lat"] == snapshot["lat"],
                    None => answer.status == 404,
                };
                agrees.then_some(())
            })
            .await;
        }
    }
}

/// An entity's profile as its position shows it.
async fn shown(api: &Api, id: &str) -> Value {
    let mut body = api.position(id).await.body;
    let members = ["status", "vehicle_type", "capacity", "attributes"];
    let shown = members.map(|member| (member.to_owned(), body[member].take()));
    shown.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[actix_web::test]
async fn changes_of_profiles_converge_on_all_instances() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), two.drivers()];
    for driver in 0..DRIVERS {
        instances[0]
            .place(&format!("d-{driver}"), json!({"lat": 1, "lon": 1}))
            .await;
    }
    let senders = (0..8_u64).map(|sender| {
        let api = &instances[usize::from(sender % 2 == 0)];
        async move {
            let mut rng = StdRng::seed_from_u64(sender);
            for n in 0..50 {
                let id = format!("d-{}", rng.random_range(0..DRIVERS));
                let mark = format!("{sender}-{n}");
                let status = match rng.random_range(0..5) {
                    0 => {
                        api.put_profile(&id, json!({"status": mark, "attributes": {"by": sender}}))
                            .await
                            .status
                    }
                    1 => {
                        api.patch_profile(&id, json!({"capacity": n, "status": null}))
                            .await
                            .status
                    }
                    2 => api.delete_profile(&id).await.status,
                    3 => {
                        api.patch_profile(&id, json!({"attributes": {"by": null, "n": n}}))
                            .await
                            .status
                    }
                    _ => {
                        let fix = json!({"lat": 1, "lon": 1, "vehicle_type": mark, "attributes": {"by": sender}});
                        assert!(matches!(api.post_fix(&id, fix).await.status, 200 | 204));
                        204
                    }
                };
                assert_eq!(status, 204);
            }
        }
    });
    join_all(senders).await;
    for id in (0..DRIVERS).map(|driver| format!("d-{driver}")) {
        // Read from Redis by either.
        let truth = instances[0].profile(&id).await;
        let mut truth = if truth.status == 404 { json!({}) } else { truth.body };
        truth.as_object_mut().unwrap().remove("id");
        for api in &instances {
            eventually(SOON, "every instance shows the profile that Redis holds", async || {
                (shown(api, &id).await == truth).then_some(())
            })
            .await;
        }
    }
}
