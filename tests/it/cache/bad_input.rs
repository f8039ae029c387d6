//! Invalid requests: a clear answer, and nothing stored.

use super::{CacheApi, LISTING, id};
use crate::support::Scene;
use reqwest::Method;
use serde_json::{Value, json};

#[actix_web::test]
async fn an_invalid_value_is_refused_with_its_pointer() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let many: Vec<String> = (0..33).map(|n| format!("t{n}")).collect();
    let refused: [(Value, &[&str]); 14] = [
        (json!({"ttl_s": 60}), &["/value"]),
        (json!({"value": 1, "ttl_s": 0}), &["/ttl_s"]),
        (json!({"value": 1, "ttl_s": -1}), &["/ttl_s"]),
        (json!({"value": 1, "ttl_s": 2_678_401}), &["/ttl_s"]),
        (json!({"value": 1, "ttl_s": 1.5}), &["/ttl_s"]),
        (json!({"value": 1, "ttl_ms": 0}), &["/ttl_ms"]),
        (json!({"value": 1, "ttl_s": 1, "ttl_ms": 1}), &["/ttl_s"]),
        (json!({"value": 1, "ttl_class": "forever"}), &["/ttl_class"]),
        (json!({"value": 1, "stale_s": -1}), &["/stale_s"]),
        (json!({"value": 1, "local_ms": 60_001}), &["/local_ms"]),
        (json!({"value": 1, "tags": "t"}), &["/tags"]),
        (json!({"value": 1, "tags": ["a", "b c", 7]}), &["/tags/1", "/tags/2"]),
        (json!({"value": 1, "tags": many}), &["/tags"]),
        (json!([1]), &[""]),
    ];
    for (body, pointers) in refused {
        api.put("n/k", body).await.assert_problem(422, pointers);
    }
    for path in [
        "n%20n/k",
        "n/%FF",
        "n/%",
        "stats/k",
        "events/k",
        "tags/k",
        "counters/k",
        &format!("n/{}", "x".repeat(257)),
    ] {
        let answer = api.put(path, json!({"value": 1})).await;
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
    }
    assert_eq!(api.put("n/k?ttl=1", json!({"value": 1})).await.status, 400);
    assert_eq!(api.get("n/k").await.status, 404);
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    let mut exists = redis::cmd("EXISTS");
    assert!(!scene.redis.query::<bool>(exists.arg(name)).await);
}

#[actix_web::test]
async fn every_other_call_refuses_invalid_values() {
    let scene = Scene::new()
        .await
        .with(&["--cache-rules=a=tag:product:{id}", LISTING[0]]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    api.patch("n/k", json!({})).await.assert_problem(422, &["/ttl_s"]);
    api.post("n", json!({"get": "a", "set": [{"value": 1}, 7], "delete": [""]}))
        .await
        .assert_problem(422, &["/delete/0", "/set/0/key", "/set/1", "/get"]);
    let too_many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    api.post("n", json!({ "get": too_many }))
        .await
        .assert_problem(422, &["/get"]);
    api.post("tags/invalidate", json!({"tags": []}))
        .await
        .assert_problem(422, &["/tags"]);
    api.post("tags/invalidate", json!({}))
        .await
        .assert_problem(422, &["/tags"]);
    api.post("tags/invalidate", json!({"tags": ["a b"]}))
        .await
        .assert_problem(422, &["/tags/0"]);
    api.post("counters/n/c", json!({"by": 1.5}))
        .await
        .assert_problem(422, &["/by"]);
    api.post("counters/n/c", json!({"by": 9_007_199_254_740_992_i64}))
        .await
        .assert_problem(422, &["/by"]);
    api.post("counters/n/c", json!({"ttl_s": 0}))
        .await
        .assert_problem(422, &["/ttl_s"]);
    api.post("events", json!({"timestamp": "yesterday"}))
        .await
        .assert_problem(422, &["/type", "/entity_id", "/timestamp"]);
    api.post("events", json!({"type": "a", "entity_id": "7", "timestamp": -1}))
        .await
        .assert_problem(422, &["/timestamp"]);
    let long = json!({"type": "a", "entity_id": "x".repeat(128)});
    api.post("events", long).await.assert_problem(422, &["/entity_id"]);
    assert_eq!(api.list("n?patern=x").await.status, 400);
    api.list("n?pattern=").await.assert_problem(422, &["/pattern"]);
    api.list("n?cursor=x").await.assert_problem(422, &["/cursor"]);
    assert_eq!(api.get("stats?x=1").await.status, 400);
    assert_eq!(api.delete("n?x=1").await.status, 400);
    for (method, path, body) in [
        (Method::PUT, "n/k", "{"),
        (Method::PATCH, "n/k", "nul"),
        (Method::POST, "n", ""),
        (Method::POST, "events", "{\"type\":"),
        (Method::POST, "tags/invalidate", "\u{1}"),
    ] {
        let request = api.0.request(method, &format!("/v1/cache/{path}"));
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{path} {body}");
    }
}

#[actix_web::test]
async fn a_value_beyond_the_limit_is_too_large() {
    let scene = Scene::new().await.with(&["--cache-max-value=2048"]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let of = |bytes: usize| json!({"value": "x".repeat(bytes - 2), "ttl_s": 60});
    assert_eq!(api.put("n/k", of(2_048)).await.status, 204);
    api.put("n/k", of(2_049)).await.assert_problem(413, &[]);
    api.put("n/k", of(1_000_000)).await.assert_problem(413, &[]);
    assert_eq!(api.get("n/k").await.body["value"].as_str().unwrap().len(), 2_046);
}
