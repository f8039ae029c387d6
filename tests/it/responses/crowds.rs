//! Many concurrent requests for the same response.

use super::Site;
use super::site::{after, numbered};
use crate::support::{Redis, Scene};
use actix_web::HttpResponse;
use fleetpulse::ids::Id;
use fleetpulse::response_cache::Builder;
use futures_util::future::join_all;
use redis::cmd;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
/// A time in which many requests arrive.
const LONG: Duration = Duration::from_millis(300);

#[actix_web::test]
async fn a_thousand_concurrent_misses_call_the_handler_once() {
    let scene = Scene::new().await;
    let site = Site::start_slow(&scene, |cache| cache.ttl(MINUTE), after(LONG, |_, n| numbered(n))).await;
    let all = join_all((0..1_000).map(|_| site.get("/a"))).await;
    assert!(all.iter().all(|got| (got.status, got.body.as_str()) == (200, "1")));
    let waited = all.iter().filter(|got| got.cache().contains("; collapsed")).count();
    let found = all.iter().filter(|got| got.is_hit()).count();
    assert_eq!(waited + found, 999, "{waited} {found}");
    assert_eq!(site.calls(), 1);
}

#[actix_web::test]
async fn an_error_is_shared_with_all_followers_and_the_next_request_calls_the_handler() {
    let scene = Scene::new().await;
    let site = Site::start_slow(
        &scene,
        |cache| cache.ttl(MINUTE),
        after(LONG, |_, n| HttpResponse::ServiceUnavailable().body(format!("{n}"))),
    )
    .await;
    let all = join_all((0..100).map(|_| site.get("/a"))).await;
    assert!(all.iter().all(|got| got.status == 503), "{all:?}");
    // A request that connects late finds no fetch in flight.
    assert!(site.calls() <= 3, "{}", site.calls());
    let n = site.calls();
    site.get("/a").await.assert(503, &format!("{}", n + 1), "fwd=uri-miss");
}

#[actix_web::test]
async fn a_fetch_continues_after_its_client_has_disconnected() {
    let scene = Scene::new().await;
    let site = Site::start_slow(&scene, |cache| cache.ttl(MINUTE), after(LONG, |_, n| numbered(n))).await;
    let cancelled = site
        .request(reqwest::Method::GET, "/a")
        .timeout(Duration::from_millis(100))
        .send()
        .await;
    assert!(cancelled.is_err());
    site.get("/a").await.assert(200, "1", "");
    assert_eq!(site.calls(), 1);
}

#[actix_web::test]
async fn followers_of_a_handler_that_panics_get_an_answer() {
    let scene = Scene::new().await;
    let handler = after(LONG, |_, n| {
        assert!(n > 1, "the first one is to panic");
        numbered(n)
    });
    let site = Site::start_slow(&scene, |cache| cache.ttl(MINUTE), handler).await;
    let all = join_all((0..10).map(|_| site.get("/a"))).await;
    assert_eq!(all.iter().filter(|got| got.status == 500).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|got| got.body == "2").count(), 9, "{all:?}");
}

/// Sends many concurrent requests, and returns how often the handler was called.
async fn calls_of_a_crowd(
    scene: &Scene<impl AsRef<Redis>>,
    build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
) -> usize {
    let site = Site::start_slow(scene, build, after(LONG, |_, n| numbered(n))).await;
    let all = join_all((0..500).map(|_| site.get("/a"))).await;
    assert!(all.iter().all(|got| got.status == 200), "{all:?}");
    assert!(all.iter().all(|got| !got.cache().contains("stored")), "{all:?}");
    site.calls()
}

#[actix_web::test]
async fn a_response_that_a_full_redis_refuses_is_still_shared() {
    let scene = Scene::on(Redis::forgetful().await);
    let mut full = cmd("CONFIG");
    full.arg(&["SET", "maxmemory", "1", "maxmemory-policy", "noeviction"]);
    let () = scene.redis.query(&full).await;
    let calls = calls_of_a_crowd(&scene, |cache| cache.ttl(MINUTE)).await;
    assert!(calls <= 10, "{calls}");
}

#[actix_web::test]
async fn a_response_with_too_many_tags_is_still_shared() {
    let scene = Scene::new().await;
    let build = |cache: Builder| {
        cache
            .ttl(MINUTE)
            .tags(|_| (0..40).map(|n| Id::parse(&format!("site:{n}")).unwrap()).collect())
    };
    let calls = calls_of_a_crowd(&scene, build).await;
    assert!(calls <= 10, "{calls}");
}
