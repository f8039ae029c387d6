//! The profile of an entity.

use crate::support::Scene;
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Map, Value, json};

/// This many attributes, numbered from a first one.
fn attributes(first: usize, count: usize) -> Value {
    let members = (first..first + count).map(|n| (format!("a{n}"), json!(n)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn full() -> Value {
    json!({
        "status": "available", "vehicle_type": "van", "capacity": 6,
        "attributes": {"wheelchair": true, "plate": "ZH 1 \"x\"", "range_km": 312.5, "doors": 4},
    })
}

#[actix_web::test]
async fn a_profile_is_written_read_and_deleted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.profile("d-1").await.assert_problem(404, &[]);
    assert_eq!(api.put_profile("d-1", full()).await.status, 204);
    let mut expected = full();
    expected["id"] = json!("d-1");
    assert_eq!(api.profile("d-1").await.body, expected);

    // Members that are not in the body are removed.
    assert_eq!(api.put_profile("d-1", json!({"status": "busy"})).await.status, 204);
    assert_eq!(api.profile("d-1").await.body, json!({"id": "d-1", "status": "busy"}));

    assert_eq!(api.delete_profile("d-1").await.status, 204);
    assert_eq!(api.profile("d-1").await.status, 404);
    assert_eq!(api.delete_profile("d-1").await.status, 204);
}

#[actix_web::test]
async fn a_patch_merges_and_null_removes() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(api.patch_profile("d-1", full()).await.status, 204);
    let patch = json!({"status": null, "capacity": 4, "attributes": {"doors": null, "range_km": 300, "new": "word"}});
    assert_eq!(api.patch_profile("d-1", patch).await.status, 204);
    let expected = json!({
        "id": "d-1", "vehicle_type": "van", "capacity": 4,
        "attributes": {"wheelchair": true, "plate": "ZH 1 \"x\"", "range_km": 300, "new": "word"},
    });
    assert_eq!(api.profile("d-1").await.body, expected);
    // An empty patch changes nothing.
    assert_eq!(api.patch_profile("d-1", json!({})).await.status, 204);
    assert_eq!(api.profile("d-1").await.body, expected);
}

#[actix_web::test]
async fn an_empty_profile_is_deleted_from_redis() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.put_profile("emptied", json!({"status": "busy", "attributes": {"a": 1}}))
        .await;
    let nothing = json!({"status": null, "attributes": {"a": null}});
    assert_eq!(api.patch_profile("emptied", nothing).await.status, 204);
    assert_eq!(api.put_profile("empty", json!({})).await.status, 204);
    api.put_profile("deleted", full()).await;
    api.delete_profile("deleted").await;
    assert_eq!(api.patch_profile("deleted", json!({})).await.status, 204);
    let lives_s = async |id: &str| -> i64 {
        let key = scene.keys().profile(Kind::Drivers, 0, &Id::parse(id).unwrap());
        scene.redis.query(cmd("TTL").arg(key)).await
    };
    for id in ["emptied", "empty", "deleted"] {
        assert_eq!(api.profile(id).await.status, 404, "{id}");
        assert!(lives_s(id).await > 0, "{id} ends");
        api.patch_profile(id, json!({"status": "busy"})).await;
        assert_eq!(api.profile(id).await.status, 200, "{id}");
    }
}

#[actix_web::test]
async fn the_profile_is_in_answers_and_survives_the_position() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.put_profile("d-1", full()).await;
    api.place("d-1", json!({"lat": 1, "lon": 1})).await;
    let shown = api.nearby("lat=1&lon=1").await.body["results"][0].take();
    for (name, value) in full().as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    api.forget("d-1").await;
    assert_eq!(api.profile("d-1").await.status, 200);
    api.place("d-1", json!({"lat": 1, "lon": 1})).await;
    assert_eq!(api.position("d-1").await.body["status"], "available");

    api.delete_profile("d-1").await;
    let bare = api.position("d-1").await;
    assert_eq!((bare.status, &bare.body["status"]), (200, &Value::Null));
}

#[actix_web::test]
async fn a_fix_updates_the_profile_members_that_it_has() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.put_profile("d-1", full()).await;
    let fix = json!({"lat": 1, "lon": 1, "status": "busy", "vehicle_type": null, "attributes": {"doors": 5}});
    api.place("d-1", fix).await;
    let batch = json!([{"id": "d-2", "lat": 1, "lon": 1, "capacity": 3}, {"id": "d-1", "lat": 1, "lon": 1}]);
    assert_eq!(api.post_batch(&batch).await.body["accepted"], 2);

    let profile = api.profile("d-1").await.body;
    // In a fix null means "not known".
    assert_eq!(
        (&profile["status"], &profile["vehicle_type"]),
        (&json!("busy"), &json!("van"))
    );
    assert_eq!(
        (&profile["attributes"]["doors"], &profile["attributes"]["range_km"]),
        (&json!(5), &json!(312.5))
    );
    assert_eq!(api.position("d-1").await.body["attributes"], profile["attributes"]);
    assert_eq!(api.profile("d-2").await.body, json!({"id": "d-2", "capacity": 3}));

    // A stale fix does not override newer members.
    let stale = json!({"lat": 1, "lon": 1, "status": "stale", "timestamp": crate::support::now_ms() - 100_000});
    assert_eq!(api.post_fix("d-1", stale).await.status, 200);
    assert_eq!(api.profile("d-1").await.body["status"], "busy");
}

#[actix_web::test]
async fn a_profile_has_at_most_32_attributes_in_every_call() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let with = |attributes: Value| json!({ "attributes": attributes });
    api.put_profile("d-1", with(attributes(0, 33)))
        .await
        .assert_problem(422, &["/attributes"]);
    assert_eq!(api.put_profile("d-1", with(attributes(0, 32))).await.status, 204);
    api.patch_profile("d-1", with(attributes(32, 1)))
        .await
        .assert_problem(422, &["/attributes"]);
    // One out and one in, or a new value for an old name, is no more than before.
    assert_eq!(
        api.patch_profile("d-1", with(json!({"a0": null, "a32": 1, "a5": "new"})))
            .await
            .status,
        204
    );
    assert_eq!(
        api.profile("d-1").await.body["attributes"].as_object().unwrap().len(),
        32
    );
}

#[actix_web::test]
async fn an_invalid_profile_is_refused_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let faults: [(Value, &[&str]); 7] = [
        (json!({"status": 5}), &["/status"]),
        (json!({"status": "a\nb"}), &["/status"]),
        (json!({"vehicle_type": "x".repeat(257)}), &["/vehicle_type"]),
        (json!({"capacity": 1.5}), &["/capacity"]),
        (json!({"attributes": [1]}), &["/attributes"]),
        (json!({"attributes": {"a/b": {"deep": 1}}}), &["/attributes/a~1b"]),
        (json!(["status"]), &[""]),
    ];
    for (profile, fields) in faults {
        api.put_profile("d-1", profile.clone())
            .await
            .assert_problem(422, fields);
        api.patch_profile("d-1", profile).await.assert_problem(422, fields);
    }
    api.put_profile("d%7B1%7D", json!({}))
        .await
        .assert_problem(422, &["/id"]);
    assert_eq!(api.profile("d-1").await.status, 404);
}
