//! Members of a profile count from the time at which they were set, however late they arrive.

use super::SOON;
use crate::support::{Scene, eventually, now_ms};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Map, Value, json};

fn fix_at(timestamp_ms: i64, mut members: Value) -> Value {
    members["lat"] = json!(1);
    members["lon"] = json!(1);
    members["timestamp"] = json!(timestamp_ms);
    members
}

fn profile_key(scene: &Scene, id: &str) -> String {
    scene.keys().profile(Kind::Drivers, 0, &Id::parse(id).unwrap())
}

#[actix_web::test]
async fn a_delayed_position_does_not_undo_newer_profile_changes() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    let at = now_ms();
    one.place(
        "d-1",
        fix_at(at - 60_000, json!({"status": "available", "capacity": 4})),
    )
    .await;
    one.patch_profile("d-1", json!({"status": "busy"})).await;
    one.place(
        "d-1",
        fix_at(at - 30_000, json!({"status": "available", "capacity": 6})),
    )
    .await;
    let profile = one.profile("d-1").await.body;
    assert_eq!(
        profile,
        json!({"id": "d-1", "status": "busy", "capacity": 6}),
        "of each member the newest"
    );
    for api in [&one, &two] {
        eventually(SOON, "every instance shows it", async || {
            let shown = api.position("d-1").await.body;
            (shown["status"] == "busy" && shown["capacity"] == 6).then_some(())
        })
        .await;
    }
    // A repeated request of a phone that received no answer changes nothing.
    one.post_fix(
        "d-1",
        fix_at(at - 30_000, json!({"status": "available", "capacity": 6})),
    )
    .await;
    assert_eq!(one.profile("d-1").await.body, profile);
    one.place("d-1", fix_at(now_ms() + 5, json!({"status": "available"})))
        .await;
    assert_eq!(one.profile("d-1").await.body["status"], "available");
}

#[actix_web::test]
async fn a_stale_position_still_updates_newer_profile_members() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    let at = now_ms();
    one.place("d-1", fix_at(at, json!({"capacity": 4}))).await;
    let stale = fix_at(at - 10_000, json!({"status": "busy", "capacity": 6}));
    assert_eq!(one.post_fix("d-1", stale).await.body["outcome"], "stale");
    // Older than the time to live of positions, from a phone that was offline for long.
    let expired = fix_at(at - 400_000, json!({"status": "free", "vehicle_type": "van"}));
    let batch = json!([{"id": "d-1"}]);
    let mut batch = batch;
    batch[0] = expired;
    batch[0]["id"] = json!("d-1");
    let answer = one.post_batch(&batch).await.body;
    assert_eq!(answer["stale"], 1, "{answer}");
    let expected = json!({"id": "d-1", "status": "busy", "capacity": 4, "vehicle_type": "van"});
    assert_eq!(one.profile("d-1").await.body, expected);
    for api in [&one, &two] {
        eventually(SOON, "every instance shows it", async || {
            (api.position("d-1").await.body["vehicle_type"] == "van").then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_repeated_value_has_the_time_of_its_last_report() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 10_000;
    for (later_ms, status) in [(0, "available"), (5_000, "available"), (3_000, "busy")] {
        api.post_fix("d-1", fix_at(at + later_ms, json!({ "status": status })))
            .await;
    }
    assert_eq!(api.profile("d-1").await.body["status"], "available");
}

#[actix_web::test]
async fn put_and_delete_apply_to_all_members() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = now_ms() - 1_000;
    let late = || fix_at(before, json!({"status": "late", "attributes": {"late": true}}));
    api.put_profile("put", json!({"capacity": 4})).await;
    api.delete_profile("deleted").await;
    for id in ["put", "deleted"] {
        api.place(id, late()).await;
    }
    assert_eq!(api.profile("put").await.body, json!({"id": "put", "capacity": 4}));
    assert_eq!(api.profile("deleted").await.status, 404);
    // An older value does not restore a removed member either.
    api.patch_profile("patched", json!({"status": null, "attributes": {"late": null}}))
        .await;
    api.place("patched", late()).await;
    assert_eq!(api.profile("patched").await.status, 404);
}

#[actix_web::test]
async fn the_thirty_third_attribute_is_dropped_and_the_rest_is_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for trip in 0..4 {
        let attributes = (0..10).map(|n| (format!("trip{trip}_{n}"), json!(n)));
        let attributes: Map<String, Value> = attributes.collect();
        let fix = json!({"lat": 2, "lon": trip, "status": format!("trip {trip}"), "attributes": attributes});
        let answer = api.post_fix("d-1", fix).await;
        let expected = if trip < 3 { 204 } else { 200 };
        assert_eq!(answer.status, expected, "{answer:?}");
        if trip == 3 {
            assert_eq!(answer.body["outcome"], "stored");
            assert_eq!(answer.body["warnings"][0]["pointer"], "/attributes");
        }
    }
    let shown = api.position("d-1").await.body;
    assert_eq!((&shown["lon"], &shown["status"]), (&json!(3.0), &json!("trip 3")));
    assert_eq!(shown["attributes"].as_object().unwrap().len(), 32);
    assert_eq!(api.profile("d-1").await.body["attributes"], shown["attributes"]);
}

#[actix_web::test]
async fn attributes_beyond_the_limit_in_one_batch_are_left_out_with_a_warning() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fix = |first: usize, count: usize| {
        let attributes: Map<String, Value> = (first..first + count).map(|n| (format!("a{n}"), json!(n))).collect();
        json!({"id": "d-1", "lat": 1, "lon": 1, "attributes": attributes})
    };
    let answer = api.post_batch(&json!([fix(0, 32), fix(32, 1)])).await.body;
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!(answer["warnings"][0]["pointer"], "/attributes", "{answer}");
}

#[actix_web::test]
async fn removed_members_are_remembered_within_bounds() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.put_profile("d-1", json!({"status": "busy", "attributes": {"stays": true}}))
        .await;
    for round in 0..10 {
        let removed = (0..30).map(|n| (format!("r{round}_{n}"), Value::Null));
        let removed: Map<String, Value> = removed.collect();
        let mut set = removed.clone();
        set.values_mut().for_each(|value| *value = json!(1));
        for attributes in [set, removed] {
            let answer = api.patch_profile("d-1", json!({ "attributes": attributes })).await;
            assert_eq!(answer.status, 204, "{answer:?}");
        }
    }
    // Also of members that never existed.
    for round in 0..12 {
        let removed = (0..30).map(|n| (format!("x{round}_{n}"), Value::Null));
        let removed: Map<String, Value> = removed.collect();
        let answer = api.patch_profile("d-1", json!({ "attributes": removed })).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let fields: u64 = scene.redis.query(cmd("HLEN").arg(profile_key(&scene, "d-1"))).await;
    assert!(fields <= 262, "{fields}");
    let expected = json!({"id": "d-1", "status": "busy", "attributes": {"stays": true}});
    assert_eq!(api.profile("d-1").await.body, expected);
}

#[actix_web::test]
async fn a_profile_time_from_before_the_clock_was_set_back_does_not_block_changes() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.put_profile("d-1", json!({"status": "busy", "capacity": 4})).await;
    // Equivalent to setting Redis's clock back by an hour.
    let ahead = now_ms() + 3_600_000;
    let mut shift = cmd("HSET");
    shift.arg(profile_key(&scene, "d-1"));
    for field in ["floor", "t:status", "t:capacity"] {
        shift.arg(field).arg(ahead);
    }
    let _: i64 = scene.redis.query(&shift).await;
    api.place("d-1", fix_at(now_ms(), json!({"status": "available"}))).await;
    assert_eq!(api.profile("d-1").await.body["status"], "available");
    assert_eq!(api.position("d-1").await.body["status"], "available");
    api.patch_profile("d-1", json!({"capacity": 6})).await;
    let time: i64 = scene
        .redis
        .query(cmd("HGET").arg(profile_key(&scene, "d-1")).arg("t:capacity"))
        .await;
    assert!(time < ahead - 3_000_000, "{time}");
}

#[actix_web::test]
async fn a_position_from_before_the_clock_was_set_back_is_replaced() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (one.drivers(), two.drivers());
    let ahead = now_ms() + 3_600_000;
    for (id, rest) in [("placed", "\"lat\":5,\"lon\":5"), ("removed", "\"deleted\":true")] {
        let snapshot = format!("{{\"ts_ms\":{ahead},\"id\":\"{id}\",{rest}}}");
        let _: String = scene
            .redis
            .query(cmd("SET").arg(scene.snapshot(Kind::Drivers, id)).arg(snapshot))
            .await;
    }
    let _: i64 = scene
        .redis
        .query(cmd("GEOADD").arg(scene.geo(Kind::Drivers)).arg(5).arg(5).arg("placed"))
        .await;
    // Both have it.
    let _: u64 = scene
        .redis
        .query(cmd("INCRBY").arg(scene.keys().sequence(Kind::Drivers, 0)).arg(7))
        .await;
    one.place("other", json!({"lat": 1, "lon": 1})).await;
    for api in [&one, &two] {
        eventually(SOON, "everything is loaded again", async || {
            (api.position("placed").await.status == 200).then_some(())
        })
        .await;
    }
    for id in ["placed", "removed"] {
        one.place(id, json!({"lat": 1, "lon": 1})).await;
        for api in [&one, &two] {
            eventually(SOON, "the new position counts", async || {
                (api.position(id).await.body["lat"] == 1.0).then_some(())
            })
            .await;
        }
        assert_eq!(one.forget(id).await.status, 204);
        one.place(id, json!({"lat": 2, "lon": 1, "timestamp": now_ms() + 5}))
            .await;
    }
}

#[actix_web::test]
async fn a_profile_expires_some_time_after_the_last_position_or_change() {
    // The TTL of profiles is extended every ten seconds.
    let scene = Scene::new().await.with(&["--ttl=2", "--profile-ttl=300"]);
    let service = scene.start().await;
    let api = service.drivers();
    let ttl_s = async || -> i64 { scene.redis.query(cmd("TTL").arg(profile_key(&scene, "d-1"))).await };
    let runs_out = async || {
        let key = profile_key(&scene, "d-1");
        let _: i64 = scene.redis.query(cmd("EXPIRE").arg(key).arg(100)).await;
    };
    api.put_profile("d-1", json!({"status": "busy"})).await;
    assert!((299..=300).contains(&ttl_s().await));
    runs_out().await;
    api.patch_profile("d-1", json!({"capacity": 4})).await;
    assert!(ttl_s().await >= 299);
    // The expiry of a position extends the TTL.
    runs_out().await;
    api.place("d-1", json!({"lat": 1, "lon": 1})).await;
    eventually(SOON, "the profile is kept", async || {
        (ttl_s().await > 100).then_some(())
    })
    .await;
    // The TTL is also extended periodically while positions arrive.
    let lives_on = async {
        runs_out().await;
        eventually(2 * SOON, "the profile is kept while positions arrive", async || {
            api.place("d-1", json!({"lat": 1, "lon": 1})).await;
            (ttl_s().await > 100).then_some(())
        })
        .await;
    };
    lives_on.await;
    api.delete_profile("d-1").await;
    assert!((1..=300).contains(&ttl_s().await), "what is left of it ends, too");
}
