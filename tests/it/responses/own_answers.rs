//! How clients may cache the service's own answers, and how cached responses are cleared.

use super::{Got, Site};
use crate::responses::site::numbered;
use crate::support::{Api, Redis, Scene, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

async fn document(api: &Api, headers: &[(&str, &str)]) -> Got {
    let mut request = api.request(Method::GET, "/openapi.json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Got::of(request).await
}

/// Asserts that the answer is the whole document.
#[track_caller]
fn assert_whole(got: &Got) {
    assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
    assert_eq!(
        (got.header("cache-control"), got.header("cache-status")),
        ("no-cache", "")
    );
    let tag = got.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 30, "{tag}");
    let length: usize = got.header("content-length").parse().unwrap();
    assert_eq!(length, got.body.len());
    let document: Value = serde_json::from_str(&got.body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[actix_web::test]
async fn the_openapi_document_is_the_same_at_every_instance() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let first = document(&one.drivers(), &[]).await;
    assert_whole(&first);
    for service in [&one, &other] {
        for _ in 0..4 {
            let got = document(&service.drivers(), &[]).await;
            assert_whole(&got);
            assert_eq!((got.header("etag"), &got.body), (first.header("etag"), &first.body));
        }
    }
    // It is not kept in Redis.
    let stats = one.drivers().get("/v1/cache/stats").await.body;
    assert_eq!(stats["namespaces"], json!({}), "{stats}");
    let metrics = one.drivers().request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = "fleetpulse_request_seconds_count{route=\"openapi\"} 5";
    assert!(metrics.contains(line), "{metrics}");
}

#[actix_web::test]
async fn a_client_that_has_the_document_gets_a_304() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let whole = document(&api, &[]).await;
    let tag = whole.header("etag");
    let (weak, listed) = (format!("W/{tag}"), format!("\"a\", {tag}"));
    for known in [tag, &weak, &listed, "*"] {
        for method in [Method::GET, Method::HEAD] {
            let request = api.request(method.clone(), "/openapi.json");
            let got = Got::of(request.header("if-none-match", known)).await;
            assert_eq!((got.status, got.body.as_str()), (304, ""), "{method} {known}");
            assert_eq!(
                (got.header("etag"), got.header("cache-control"), got.header("vary")),
                (tag, "no-cache", "accept-encoding"),
                "{method} {known}"
            );
        }
    }
    for unknown in ["\"a\"", "W/\"a\"", "a", "", ","] {
        let got = document(&api, &[("if-none-match", unknown)]).await;
        assert_whole(&got);
    }
}

#[actix_web::test]
async fn the_document_is_served_without_redis() {
    let scene = Scene::on(Redis::durable().await);
    let service = scene.start().await;
    let api = service.drivers();
    let before = document(&api, &[]).await;
    scene.redis.kill();
    eventually(SOON, "Redis is unavailable", async || {
        (api.get("/v1/cache/n/k").await.status == 503).then_some(())
    })
    .await;
    let during = document(&api, &[]).await;
    assert_whole(&during);
    assert_eq!(
        (during.header("etag"), &during.body),
        (before.header("etag"), &before.body)
    );
}

#[actix_web::test]
async fn head_and_other_methods_of_the_document_are_answered() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let whole = document(&api, &[]).await;
    for (name, value) in [("accept", "*/*"), ("range", "bytes=0-9"), ("if-match", "\"x\"")] {
        let head = Got::of(api.request(Method::HEAD, "/openapi.json").header(name, value)).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{name}: {head:?}");
        for same in ["content-length", "etag", "cache-control", "content-type"] {
            assert_eq!(head.header(same), whole.header(same), "{name}: {head:?}");
        }
        let length: usize = head.header("content-length").parse().unwrap();
        assert!(length > 10_000, "{name}: {head:?}");
    }
    let other = Got::of(api.request(Method::POST, "/openapi.json")).await;
    assert_eq!(
        (other.status, other.header("allow")),
        (405, "GET, HEAD, OPTIONS"),
        "{other:?}"
    );
}

#[actix_web::test]
async fn cached_responses_can_be_cleared_as_a_namespace() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    // A program that embeds the cache, on the same Redis.
    let site = Site::start(&scene, |cache| cache.ttl(Duration::from_mins(1)), |_, n| numbered(n)).await;
    site.get("/a").await.assert(200, "1", "fwd=uri-miss; stored");
    site.get("/a").await.assert(200, "1", "hit; ttl=");
    let cleared = api.request(Method::DELETE, "/v1/cache/site").send().await.unwrap();
    assert_eq!(cleared.status(), 204);
    site.get("/a").await.assert(200, "2", "fwd=uri-miss; stored");
    // Clients cannot write to the namespace that is reserved for responses.
    let entry = api.request(Method::PUT, "/v1/cache/responses/a");
    assert_eq!(entry.json(&json!({"value": 1})).send().await.unwrap().status(), 422);
    let cleared = api.request(Method::DELETE, "/v1/cache/responses").send().await.unwrap();
    assert_eq!(cleared.status(), 204);
}

#[actix_web::test]
async fn responses_that_must_be_fresh_are_not_cached() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for path in [
        "/health",
        "/metrics",
        "/v1/drivers/nearby?lat=1&lon=1",
        "/v1/drivers/nearby?lat=1&lon=1&source=redis",
        "/v1/inventory",
        "/v1/limits/policies",
    ] {
        let got = Got::of(api.request(Method::GET, path)).await;
        assert_eq!((got.status, got.header("cache-status")), (200, ""), "{path}");
    }
}
