//! One entity's fix: stored, read, overtaken, forgotten.

use crate::support::{Scene, now_ms};
use serde_json::json;

#[actix_web::test]
async fn a_driver_reports_and_is_found() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", json!({"lat": 40.7484, "lon": -73.9857})).await;

    let found = api.nearby("lat=40.7480&lon=-73.9850").await;
    assert_eq!(found.ids(), ["d-1"]);
    assert_eq!(found.body["source"], "live");

    let stale = api
        .post_fix("d-1", json!({"lat": 1, "lon": 1, "timestamp": now_ms() - 5_000}))
        .await;
    assert_eq!((stale.status, &stale.body), (200, &json!({"outcome": "stale"})));
}
