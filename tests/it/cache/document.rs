//! The `OpenAPI` document matches the bodies of the calls.

use super::CacheApi;
use crate::support::{Document, Scene, any_json};
use serde_json::json;

#[actix_web::test]
async fn bodies_match_the_openapi_document() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let document = Document::of(&api.0).await;
    for value in any_json() {
        let put = json!({"value": value, "ttl_ms": 2_678_400_000_u64, "tags": ["t"]});
        document.allows("put /v1/cache/{namespace}/{key}", &put);
        assert_eq!(api.put("n/k", put).await.status, 204);
        let found = api.get("n/k").await;
        assert_eq!((found.status, &found.body["value"]), (200, &value));
        document.has("get /v1/cache/{namespace}/{key}", 200, &found.body);
    }
    let touch = json!({"ttl_ms": 2_678_400_000_u64});
    document.allows("patch /v1/cache/{namespace}/{key}", &touch);
    assert_eq!(api.patch("n/k", touch).await.status, 204);

    let batch = "post /v1/cache/{namespace}";
    let all = json!({"set": [{"key": "1", "value": [null], "ttl_ms": 2_678_400_000_u64}], "get": ["1", "2", "3"]});
    let name = scene.keys().cache_entry(&super::id("n"), "3").name;
    let () = scene.redis.query(redis::cmd("SET").arg(name).arg("rubbish")).await;
    document.allows(batch, &all);
    let done = api.post("n", all).await;
    let results = &done.body["results"];
    assert_eq!(results[0]["value"], json!([null]));
    assert_eq!(results[1], json!({"key": "2", "state": "miss"}));
    assert_eq!(results[2], json!({"key": "3", "state": "corrupt"}));
    document.has(batch, 200, &done.body);

    let counter = "post /v1/cache/counters/{namespace}/{key}";
    let add = json!({"by": -2, "ttl_ms": 2_678_400_000_u64});
    document.allows(counter, &add);
    let added = api.post("counters/n/c", add).await;
    assert_eq!(added.status, 200);
    document.has(counter, 200, &added.body);
    let named = &document.schema("CountBody")["properties"];
    for member in ["by", "ttl_s", "ttl_ms", "ttl_class"] {
        assert!(named[member].is_object(), "{member}");
    }

    let event = "post /v1/cache/events";
    for time in [json!("2026-11-21T10:14:57.123Z"), json!(1_763_720_097_123_u64)] {
        let tell = json!({"type": "a", "entity_id": "7", "timestamp": time});
        document.allows(event, &tell);
        let answer = api.post("events", tell).await;
        assert_eq!(answer.status, 200);
        document.has(event, 200, &answer.body);
    }
}
