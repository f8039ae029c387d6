//! Keys of another type under our prefix, as another program may leave them.

use super::{becomes, here};
use crate::support::Scene;
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::json;

#[actix_web::test]
async fn a_key_of_another_type_prevents_neither_a_start_nor_a_batch() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    for id in ["good", "odd-profile", "odd-snapshot"] {
        service.drivers().place(id, here()).await;
    }
    service.drivers().put_profile("good", json!({"status": "busy"})).await;
    drop(service);
    let profile = scene
        .keys()
        .profile(Kind::Drivers, 0, &Id::parse("odd-profile").unwrap());
    let _: String = scene.redis.query(cmd("SET").arg(&profile).arg("foreign")).await;
    let snapshot = scene.snapshot(Kind::Drivers, "odd-snapshot");
    let _: i64 = scene.redis.query(cmd("DEL").arg(&snapshot)).await;
    let _: i64 = scene.redis.query(cmd("LPUSH").arg(&snapshot).arg("foreign")).await;

    // A member of the index that is not text.
    let index = scene.geo(Kind::Drivers);
    let _: i64 = scene.redis.query(cmd("ZADD").arg(&index).arg(1).arg(b"\xff\xfe")).await;

    let service = scene.start().await;
    let api = service.drivers();
    becomes(&api, "ok").await;
    assert_eq!(api.position("odd-profile").await.status, 200);
    let found = api.nearby("lat=40.7484&lon=-73.9857&status=busy").await;
    assert_eq!(found.ids(), ["good"]);

    let mut fixes = Vec::new();
    for id in ["odd-profile", "other", "odd-snapshot"] {
        let mut fix = here();
        (fix["id"], fix["status"]) = (json!(id), json!("available"));
        fixes.push(fix);
    }
    let answer = api.post_batch(&json!(fixes)).await.body;
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(3), &json!([])));
    for id in ["odd-profile", "other", "odd-snapshot"] {
        assert_eq!(api.profile(id).await.body["status"], "available", "{id}");
    }
    let _: String = scene.redis.query(cmd("SET").arg(&profile).arg("foreign")).await;
    assert_eq!(api.profile("odd-profile").await.status, 404);
    assert_eq!(
        api.patch_profile("odd-profile", json!({"status": "busy"})).await.status,
        204
    );
    assert_eq!(api.profile("odd-profile").await.body["status"], "busy");
    assert_eq!(api.forget("odd-snapshot").await.status, 204);
}
