//! The `OpenAPI` document matches the bodies of the calls.

use crate::support::{Document, Scene, send};
use reqwest::Method;
use serde_json::json;

const BATCH: &str = "post /v1/{kind}/positions";
const PUT: &str = "put /v1/{kind}/{id}";
const GET: &str = "get /v1/{kind}/{id}";

#[actix_web::test]
async fn a_batch_is_an_array_an_object_or_lines() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = Document::of(&api).await;
    let fixes = json!([{"id": "d-1", "lat": 40.7484, "lon": -73.9857}, {"id": "d-2", "lat": 40.7527, "lon": -73.9772}]);
    for batch in [fixes.clone(), json!({"positions": fixes})] {
        document.allows(BATCH, &batch);
        let answer = api.post_batch(&batch).await;
        document.has(BATCH, 200, &answer.body);
        assert_eq!(answer.body["accepted"], 2, "{answer:?}");
    }
    let lines = document.example(BATCH, "application/x-ndjson");
    let answer = api.post_ndjson(lines.as_str().unwrap()).await;
    assert_eq!(answer.body["accepted"], 2, "{answer:?}");
}

#[actix_web::test]
async fn the_answer_with_a_profile_has_its_id() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = Document::of(&api).await;
    let full = document.schema("ProfileBody")["example"].clone();
    for profile in [full, json!({"status": "busy"})] {
        document.allows(PUT, &profile);
        assert_eq!(api.put_profile("d-1", profile.clone()).await.status, 204);
        let mut answer = api.profile("d-1").await;
        document.has(GET, 200, &answer.body);
        assert_eq!(answer.body["id"].take(), "d-1", "{answer:?}");
    }
    assert_eq!(document.schema("ProfileAnswer")["required"], json!(["id"]));
}

#[actix_web::test]
async fn a_list_may_have_only_some_members() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = Document::of(&api).await;
    api.place("d-1", json!({"lat": 60, "lon": 25})).await;
    for fields in ["", "&fields=id", "&fields=lat,lon,distance_m"] {
        let nearest = api.nearby(&format!("lat=60&lon=25{fields}")).await;
        document.has("get /v1/{kind}/nearby", 200, &nearest.body);
        let inside = api.within(&format!("bbox=24,59,26,61{fields}")).await;
        document.has("get /v1/{kind}/within", 200, &inside.body);
        assert_eq!(inside.body["results"][0]["id"], "d-1", "{inside:?}");
    }
    let queries = json!({"queries": [{"lat": 60, "lon": 25}]});
    let request = api.request(Method::POST, "/v1/drivers/nearby?fields=lon");
    let many = send(request.json(&queries)).await;
    document.has("post /v1/{kind}/nearby", 200, &many.body);
}
