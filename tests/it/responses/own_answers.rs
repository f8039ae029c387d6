//! The service's own answers that are cached.

use super::Got;
use crate::support::{Api, Redis, Scene, eventually};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const LONG_TIMEOUT: &str = "--response-cache-redis-timeout=5000";

async fn document(api: &Api, headers: &[(&str, &str)]) -> Got {
    let mut request = api.request(Method::GET, "/openapi.json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Got::of(request).await
}

#[actix_web::test]
async fn the_openapi_document_is_built_once_for_all_instances() {
    let scene = Scene::new().await.with(&[LONG_TIMEOUT]);
    let (one, other) = (scene.start().await, scene.start().await);
    // One of them fetches it at the start; a request before that fetches it itself.
    let first = document(&one.drivers(), &[]).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), "application/json");
    for service in [&one, &other] {
        let got = document(&service.drivers(), &[]).await;
        assert!(got.is_hit(), "{got:?}");
        assert_eq!(got.body, first.body);
        let tag = got.header("etag").to_owned();
        let again = document(&service.drivers(), &[("if-none-match", &tag)]).await;
        again.assert(304, "", "hit");
    }
    // No other test writes there.
    let entry = one.drivers().request(Method::PUT, "/v1/cache/responses/a");
    let entry = entry.json(&json!({"value": 1})).send().await.unwrap();
    assert_eq!(entry.status(), 422);
    let stats = one.drivers().get("/v1/cache/stats").await.body;
    let own = stats["namespaces"]["responses"].as_object();
    let own = own.unwrap_or_else(|| panic!("{stats}"));
    let hits = own["local_hits"].as_u64().unwrap() + own["shared_hits"].as_u64().unwrap();
    assert!(hits > 0, "{stats}");
    let metrics = one.drivers().request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "fleetpulse_response_cache_total{outcome=\"hit\"}",
        "fleetpulse_response_cache_not_modified_total 1",
        "fleetpulse_request_seconds_count{route=\"openapi\"}",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[actix_web::test]
async fn one_instance_fills_the_cache_before_the_first_request() {
    let scene = Scene::new().await.with(&[LONG_TIMEOUT]);
    let services = [scene.start().await, scene.start().await, scene.start().await];
    let only = [("cache-control", "only-if-cached")];
    for service in &services {
        let api = service.drivers();
        eventually(SOON, "it is there", async || {
            document(&api, &only).await.is_hit().then_some(())
        })
        .await;
    }
    let mut made = 0;
    for service in &services {
        let metrics = service.drivers().request(Method::GET, "/metrics").send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        made += usize::from(metrics.contains("fleetpulse_response_cache_total{outcome=\"miss\"} 1"));
    }
    assert_eq!(made, 1);
}

#[actix_web::test]
async fn the_document_is_served_without_redis_and_without_the_cache() {
    let mut scene = Scene::on(Redis::durable().await).with(&[LONG_TIMEOUT]);
    let service = scene.start().await;
    let api = service.drivers();
    eventually(SOON, "it is kept", async || {
        document(&api, &[]).await.is_hit().then_some(())
    })
    .await;
    scene.redis.kill();
    eventually(SOON, "the memory of the instance has let go of it", async || {
        let got = document(&api, &[]).await;
        assert_eq!(got.status, 200);
        got.cache().contains("redis-away").then_some(())
    })
    .await;
    scene.redis.restart().await;
    eventually(SOON, "it is kept again", async || {
        document(&api, &[]).await.is_hit().then_some(())
    })
    .await;

    let without = Scene::new().await.with(&["--response-cache=false"]);
    let service = without.start().await;
    let got = document(&service.drivers(), &[]).await;
    assert_eq!((got.status, got.header("cache-status")), (200, ""));
}

#[actix_web::test]
async fn own_responses_can_be_cleared_as_a_namespace() {
    let scene = Scene::new().await.with(&[LONG_TIMEOUT]);
    let (one, other) = (scene.start().await, scene.start().await);
    let kept = async |api: &Api| {
        let only = [("cache-control", "only-if-cached")];
        document(api, &only).await.status == 200
    };
    eventually(SOON, "it is kept", async || kept(&one.drivers()).await.then_some(())).await;
    let cleared = one.drivers().request(Method::DELETE, "/v1/cache/responses");
    assert_eq!(cleared.send().await.unwrap().status(), 204);
    assert!(!kept(&one.drivers()).await);
    eventually(SOON, "the other instance has received it", async || {
        (!kept(&other.drivers()).await).then_some(())
    })
    .await;
    let again = document(&other.drivers(), &[]).await;
    again.assert(200, &again.body, "fwd=uri-miss; stored");
}

#[actix_web::test]
async fn head_works_for_every_cached_get() {
    for caches in ["true", "false"] {
        let scene = Scene::new().await.with(&[&format!("--response-cache={caches}")]);
        let service = scene.start().await;
        let api = service.drivers();
        for (name, value) in [("accept", "*/*"), ("range", "bytes=0-9"), ("if-match", "\"x\"")] {
            let head = Got::of(api.request(Method::HEAD, "/openapi.json").header(name, value)).await;
            assert_eq!(
                (head.status, head.body.as_str()),
                (200, ""),
                "{caches} {name}: {head:?}"
            );
            let length: usize = head.header("content-length").parse().unwrap();
            assert!(length > 10_000, "{caches} {name}: {head:?}");
        }
        let other = Got::of(api.request(Method::POST, "/openapi.json")).await;
        assert_eq!(
            (other.status, other.header("allow")),
            (405, "GET, HEAD, OPTIONS"),
            "{other:?}"
        );
    }
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
