//! Several instances on one Redis.

use super::SOON;
use crate::support::{Api, Scene, eventually, now_ms};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};

/// Waits until an instance finds these drivers at 0° 0°, nearest first.
async fn finds(api: &Api, query: &str, expected: &[&str]) {
    eventually(SOON, &format!("{query} finds {expected:?}"), async || {
        (api.nearby(&format!("lat=0&lon=0&{query}")).await.ids() == expected).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn two_instances_see_each_others_fixes_profiles_and_deletions() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    one.place("d-1", json!({"lat": 0, "lon": 0})).await;
    two.place("d-2", json!({"lat": 0.001, "lon": 0, "status": "busy"}))
        .await;
    for api in [&one, &two] {
        finds(api, "limit=5", &["d-1", "d-2"]).await;
        finds(api, "status=busy", &["d-2"]).await;
    }

    two.place("d-1", json!({"lat": 0.002, "lon": 0})).await;
    finds(&one, "limit=5", &["d-2", "d-1"]).await;
    two.put_profile("d-1", json!({"status": "available", "attributes": {"pets": true}}))
        .await;
    finds(&one, "status=available", &["d-1"]).await;
    assert_eq!(one.position("d-1").await.body["attributes"], json!({"pets": true}));
    one.patch_profile("d-1", json!({"status": null})).await;
    finds(&two, "status=available", &[]).await;
    one.delete_profile("d-2").await;
    finds(&two, "status=busy", &[]).await;

    one.forget("d-2").await;
    finds(&two, "limit=5", &["d-1"]).await;
    two.place("d-2", json!({"lat": 0, "lon": 0})).await;
    finds(&one, "limit=5", &["d-2", "d-1"]).await;
}

#[actix_web::test]
async fn a_profile_from_before_the_first_fix_is_on_all_instances() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    one.drivers().put_profile("d-1", json!({"status": "available"})).await;
    two.drivers().place("d-1", json!({"lat": 0, "lon": 0})).await;
    for api in [one.drivers(), two.drivers()] {
        finds(&api, "status=available", &["d-1"]).await;
    }
}

#[actix_web::test]
async fn an_instance_that_starts_later_loads_everything() {
    let scene = Scene::new().await;
    let one = scene.start().await;
    // More than one piece of the index.
    let fixes: Vec<Value> = (0..3_000)
        .map(|n| {
            json!({
                "id": format!("d-{n:04}"), "lat": 0, "lon": f64::from(n) * 1e-4,
                "status": if n % 100 == 0 { "busy" } else { "available" },
            })
        })
        .collect();
    one.drivers().place_all(&fixes).await;
    one.api("users")
        .place("u-1", json!({"lat": 0, "lon": 0, "accuracy_m": 5}))
        .await;
    one.drivers().forget("d-0000").await;
    let everything = "lat=0&lon=0&radius_m=200000&limit=1000&status=busy";
    let expected = one.drivers().nearby(everything).await;
    assert_eq!(expected.ids().len(), 29);
    drop(one);

    let later = scene.start().await;
    let loaded = later.drivers().nearby(everything).await;
    assert_eq!(loaded.ids(), expected.ids());
    assert_eq!(loaded.body["stale"], false);
    assert_eq!(later.api("users").position("u-1").await.body["accuracy_m"], 5.0);
    let health = later.drivers().get("/health").await.body;
    assert_eq!(health["status"], "ok", "{health}");
}

#[actix_web::test]
async fn a_killed_instance_loads_its_data_again() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    service
        .drivers()
        .place("d-1", json!({"lat": 0, "lon": 0, "capacity": 4}))
        .await;
    service.kill().await;
    let again = scene.start_process().await;
    assert_eq!(
        again.drivers().nearby("lat=0&lon=0&min_capacity=4").await.ids(),
        ["d-1"]
    );
}

#[actix_web::test]
async fn an_instance_whose_subscription_was_cut_recovers_what_it_missed() {
    // On its own Redis, because all subscriptions are cut.
    let scene = Scene::on(crate::support::Redis::durable().await);
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    one.place("moved", json!({"lat": 0.001, "lon": 0})).await;
    one.place("removed", json!({"lat": 0, "lon": 0})).await;
    finds(&two, "limit=9", &["removed", "moved"]).await;
    for round in 0..5 {
        let updates = scene.keys().updates(Kind::Drivers, 0);
        eventually(SOON, "both follow", async || {
            let (_, following): (String, u64) = scene.redis.query(cmd("PUBSUB").arg("NUMSUB").arg(&updates)).await;
            (following == 2).then_some(())
        })
        .await;
        let cut: u64 = scene
            .redis
            .query(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"))
            .await;
        assert!(cut >= 2, "{cut}");
        let lat = f64::from(round + 2) * 1e-3;
        // No instance receives these updates, or one receives only some of them.
        let (new, status) = (format!("new-{round}"), format!("s{round}"));
        one.place(&new, json!({"lat": lat, "lon": 0})).await;
        one.place("moved", json!({"lat": lat + 1e-4, "lon": 0, "status": status}))
            .await;
        one.forget("removed").await;
        finds(
            &two,
            &format!("radius_m={}&limit=1&status={status}", lat * 112e3 + 100.0),
            &["moved"],
        )
        .await;
        eventually(SOON, "it has the new ones and not the removed ones", async || {
            let known = two.position(&new).await.status == 200 && two.position("removed").await.status == 404;
            let fresh = two.nearby("lat=0&lon=0").await.body["stale"] == false;
            (known && fresh).then_some(())
        })
        .await;
        one.place("removed", json!({"lat": 0, "lon": 0})).await;
        finds(&two, "radius_m=1", &["removed"]).await;
    }
}

#[actix_web::test]
async fn a_missed_fix_with_an_equal_timestamp_is_applied() {
    let scene = Scene::on(crate::support::Redis::durable().await);
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    // A clock that is ahead: a removal counts from the fix that it removes.
    let ahead = now_ms() + 50_000;
    one.place("removed", json!({"lat": 0, "lon": 0, "timestamp": ahead}))
        .await;
    one.place("corrected", json!({"lat": 0, "lon": 0, "timestamp": ahead}))
        .await;
    finds(&two, "radius_m=1", &["corrected", "removed"]).await;

    let cut: u64 = scene
        .redis
        .query(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"))
        .await;
    assert!(cut >= 2, "{cut}");
    one.forget("removed").await;
    one.place("corrected", json!({"lat": 0.001, "lon": 0, "timestamp": ahead}))
        .await;
    finds(&two, "limit=9", &["corrected"]).await;
    finds(&two, "radius_m=1", &[]).await;
    finds(&one, "radius_m=1", &[]).await;
}

#[actix_web::test]
async fn a_removal_during_an_outage_is_written_afterwards() {
    let mut scene = Scene::on(crate::support::Redis::durable().await);
    let service = scene.start().await;
    let api = service.drivers();
    let ahead = now_ms() + 50_000;
    for (id, at) in [("usual", now_ms()), ("ahead", ahead)] {
        api.place(id, json!({"lat": 0, "lon": 0, "timestamp": at})).await;
    }
    scene.redis.kill();
    for id in ["usual", "ahead"] {
        assert_eq!(api.forget(id).await.status, 202);
        assert_eq!(api.position(id).await.status, 404);
    }
    scene.redis.restart().await;
    for id in ["usual", "ahead"] {
        eventually(SOON, "Redis has the removal", async || {
            let word: Option<String> = scene
                .redis
                .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, id)))
                .await;
            word?.contains("\"deleted\":true").then_some(())
        })
        .await;
        assert_eq!(api.position(id).await.status, 404, "{id}");
    }
    let left: u64 = scene.redis.query(cmd("ZCARD").arg(scene.geo(Kind::Drivers))).await;
    assert_eq!(left, 0);
}
