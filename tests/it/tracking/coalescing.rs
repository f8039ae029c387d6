//! Many fixes of one entity in one request.

use crate::support::{Scene, now_ms};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};

const COUNT: i64 = 10_000;

#[actix_web::test]
async fn many_fixes_of_one_entity_cost_as_much_as_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - COUNT;
    let fixes = |id: &str| -> Vec<Value> {
        (0..COUNT)
            .map(|n| json!({"id": id, "lat": 1, "lon": 1, "timestamp": at + n, "capacity": n}))
            .collect()
    };
    let answer = api.post_batch(&json!(fixes("oldest-first"))).await.body;
    assert_eq!((&answer["accepted"], &answer["stale"]), (&json!(COUNT), &json!(0)));
    let mut newest_first = fixes("newest-first");
    newest_first.reverse();
    let answer = api.post_batch(&json!(newest_first)).await.body;
    assert_eq!(answer["rejected"], json!([]));
    let (accepted, stale) = (&answer["accepted"], &answer["stale"]);
    assert_eq!((accepted, stale), (&json!(1), &json!(COUNT - 1)));

    for id in ["oldest-first", "newest-first"] {
        let shown = api.position(id).await.body;
        assert_eq!(shown["capacity"], COUNT - 1, "{id}: members of the newest");
        let snapshot: String = scene
            .redis
            .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, id)))
            .await;
        assert!(
            snapshot.contains(&format!("\"ts_ms\":{}", at + COUNT - 1)),
            "{snapshot}"
        );
    }
    let calls: i64 = scene
        .redis
        .query(cmd("GET").arg(scene.keys().sequence(Kind::Drivers, 0)))
        .await;
    assert!(calls <= 2 * COUNT / 1_000, "{calls} script calls");
}

#[actix_web::test]
async fn members_of_coalesced_fixes_are_merged_by_their_times() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 1_000;
    let batch = json!([
        {"id": "d-1", "lat": 1, "lon": 1, "timestamp": at, "status": "a", "vehicle_type": "van"},
        {"id": "d-1", "lat": 3, "lon": 1, "timestamp": at + 200, "status": "c"},
        {"id": "d-1", "lat": 2, "lon": 1, "timestamp": at + 100, "status": "b", "capacity": 2},
        {"id": "d-1", "lat": 4, "lon": 1, "timestamp": at + 200},
    ]);
    let answer = api.post_batch(&batch).await.body;
    assert_eq!((&answer["accepted"], &answer["stale"]), (&json!(3), &json!(1)));
    let shown = api.position("d-1").await.body;
    assert_eq!(shown["lat"], 4.0, "of equally new ones the last");
    let members = ["status", "vehicle_type", "capacity"].map(|name| shown[name].clone());
    assert_eq!(json!(members), json!(["c", "van", 2]));
}
