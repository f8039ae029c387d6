//! An invalidated response is not served.

use super::site::{gated, numbered};
use super::{Got, Site};
use crate::support::{Proxy, Scene, eventually};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use fleetpulse::cache::{self, Cache, CacheMetrics, CacheSettings};
use fleetpulse::ids::Id;
use fleetpulse::response_cache::{Builder, ResponseOptions};
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use futures_util::future::{LocalBoxFuture, join_all};
use reqwest::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_mins(1);

fn id(id: &str) -> Id {
    Id::parse(id).unwrap()
}

/// The cache as another process uses it.
fn cache(scene: &Scene) -> Cache {
    let client = redis::Client::open(scene.redis.url()).unwrap();
    let store = Store::new(
        client.get_connection_info().clone(),
        scene.keys(),
        Duration::from_secs(5),
    )
    .unwrap();
    let shared = cache::Shared::new(
        &store,
        CacheSettings::default(),
        &CacheMetrics::register(&MetricsRegistry::default()).unwrap(),
    );
    Cache::new(Link::open(&store), shared)
}

#[actix_web::test]
async fn a_tag_invalidates_every_response_that_has_it() {
    let scene = Scene::new().await;
    let build = |cache: Builder| {
        cache
            .ttl(MINUTE)
            .tags(|request| vec![Id::parse(&format!("site:{}", &request.path()[1..2])).unwrap()])
    };
    let site = Site::start(&scene, build, |_, n| HttpResponse::Ok().body(format!("{n}"))).await;
    for (path, n) in [("/a", "1"), ("/a?x", "2"), ("/b", "3")] {
        site.get(path).await.assert(200, n, "fwd");
    }
    let cache = cache(&scene);
    cache.invalidate(&[id("site:a")]).await.unwrap();
    site.get("/a").await.assert(200, "4", "fwd=uri-miss");
    site.get("/a?x").await.assert(200, "5", "fwd=uri-miss");
    site.get("/b").await.assert(200, "3", "hit");
    // The namespace as a whole.
    cache.clear(&id("site")).await.unwrap();
    site.get("/b").await.assert(200, "6", "fwd=uri-miss");
}

/// Sends a request, invalidates a tag while the handler runs, and sends five more requests. Returns the answers to these, and the number
/// of calls of the handler.
async fn ask_around_an_invalidation(
    scene: &Scene,
    build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
    tag: &str,
) -> (Vec<Got>, Arc<Site>) {
    // The timeout of the sites of all tests.
    ask_around_an_invalidation_with_timeout(scene, &scene.redis.url(), 5_000, build, tag).await
}

/// The same over another connection to Redis, with this timeout.
async fn ask_around_an_invalidation_with_timeout(
    scene: &Scene,
    url: &str,
    redis_timeout_ms: u32,
    build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
    tag: &str,
) -> (Vec<Got>, Arc<Site>) {
    let gate = Arc::new(Semaphore::new(0));
    let options = ResponseOptions {
        redis_timeout: Duration::from_millis(redis_timeout_ms.into()),
        ..ResponseOptions::default()
    };
    let site = Arc::new(Site::start_at(url, scene, options, build, gated(&gate)).await);
    let ask = || {
        let site = Arc::clone(&site);
        actix_web::rt::spawn(async move { site.get("/a").await })
    };
    let before = ask();
    eventually(MINUTE, "the handler is at work", async || {
        (site.calls() == 1).then_some(())
    })
    .await;
    cache(scene).invalidate(&[id(tag)]).await.unwrap();
    let after: Vec<_> = (0..5).map(|_| ask()).collect();
    // Most of them have arrived by then; the same applies to the others.
    sleep(Duration::from_millis(50)).await;
    gate.add_permits(1);
    assert_eq!(before.await.unwrap().body, "1");
    gate.add_permits(100);
    let after = join_all(after).await.into_iter().map(Result::unwrap).collect();
    (after, site)
}

#[actix_web::test]
async fn a_response_from_before_an_invalidation_is_neither_stored_nor_shared_after_it() {
    let scene = Scene::new().await;
    let build = |cache: Builder| cache.ttl(MINUTE).tags(|_| vec![id("site:all")]);
    let (after, site) = ask_around_an_invalidation(&scene, build, "site:all").await;
    assert!(after.iter().all(|got| got.body == "2"), "{after:?}");
    site.get("/a").await.assert(200, "2", "hit");
    assert_eq!(site.calls(), 2);
}

#[actix_web::test]
async fn a_response_that_could_not_be_stored_is_not_shared_with_later_requests() {
    let scene = Scene::new().await;
    // More tags than an entry may have.
    let build = |cache: Builder| {
        cache
            .ttl(MINUTE)
            .tags(|_| (0..40).map(|n| id(&format!("site:{n}"))).collect())
    };
    let (after, _) = ask_around_an_invalidation(&scene, build, "site:7").await;
    for got in after {
        assert!(got.status == 200 && got.body != "1", "{got:?}");
        assert!(!got.cache().contains("redis-unavailable"), "{got:?}");
    }
}

#[actix_web::test]
async fn a_response_that_another_instance_invalidated_is_not_shared_while_redis_is_slow() {
    let scene = Scene::new().await;
    let proxy = Proxy::far_from(&scene.redis.url(), Duration::from_millis(20)).await;
    let build = |cache: Builder| cache.ttl(MINUTE).tags(|_| vec![id("site:all")]);
    let (after, _) = ask_around_an_invalidation_with_timeout(&scene, &proxy.url(), 1, build, "site:all").await;
    for got in after {
        assert!(got.status == 200 && got.body != "1", "{got:?}");
        assert!(got.cache().contains("redis-unavailable"), "{got:?}");
    }
}

#[actix_web::test]
async fn a_response_from_before_a_write_is_not_shared_after_it_without_redis() {
    let scene = Scene::new().await;
    // Too slow for reads, which therefore report Redis as unavailable, but not for writes, which have a longer timeout.
    let proxy = Proxy::far_from(&scene.redis.url(), Duration::from_millis(20)).await;
    let options = ResponseOptions {
        redis_timeout: Duration::from_millis(1),
        ..ResponseOptions::default()
    };
    let (gate, value) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(1)));
    let handler = {
        let (gate, value) = (Arc::clone(&gate), Arc::clone(&value));
        move |request: HttpRequest, _| -> LocalBoxFuture<'static, HttpResponse> {
            let (gate, value) = (Arc::clone(&gate), Arc::clone(&value));
            Box::pin(async move {
                if request.method() == Method::POST.as_str() {
                    value.fetch_add(1, Ordering::SeqCst);
                    return HttpResponse::Ok().finish();
                }
                let read = value.load(Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                numbered(read)
            })
        }
    };
    let build = |cache: Builder| cache.ttl(MINUTE).invalidate_on_write();
    let site = Arc::new(Site::start_at(&proxy.url(), &scene, options, build, handler).await);
    let ask = || {
        let site = Arc::clone(&site);
        actix_web::rt::spawn(async move { site.get("/a").await })
    };
    // An instance whose Redis is slow subscribes to invalidations from then on.
    gate.add_permits(1);
    site.get("/b")
        .await
        .assert(200, "1", "fwd=miss; detail=redis-unavailable");
    let channel = scene.keys().cache_channel();
    eventually(MINUTE, "invalidations are received", async || {
        let mut listeners = redis::cmd("PUBSUB");
        let listeners: (String, u64) = scene.redis.query(listeners.arg("NUMSUB").arg(&channel)).await;
        (listeners.1 == 1).then_some(())
    })
    .await;
    let before = ask();
    eventually(MINUTE, "the handler is at work", async || {
        (site.calls() == 2).then_some(())
    })
    .await;
    let written = Got::of(site.request(Method::POST, "/a")).await;
    written.assert(200, "", "fwd=method");
    assert_eq!(written.cache(), "fwd=method");
    let after: Vec<_> = (0..5).map(|_| ask()).collect();
    // Most of them have arrived by then; the same applies to the others.
    sleep(Duration::from_millis(50)).await;
    gate.add_permits(1);
    before
        .await
        .unwrap()
        .assert(200, "1", "fwd=miss; detail=redis-unavailable");
    gate.add_permits(100);
    for got in join_all(after).await {
        got.unwrap().assert(200, "2", "fwd=miss");
    }
    // They still share one answer.
    assert!(site.calls() <= 5, "{}", site.calls());
}

#[actix_web::test]
async fn a_write_whose_client_disconnects_still_invalidates() {
    let scene = Scene::new().await;
    let written = Arc::new(Semaphore::new(0));
    let handler = {
        let written = Arc::clone(&written);
        move |request: HttpRequest, n: usize| -> LocalBoxFuture<'static, HttpResponse> {
            let written = Arc::clone(&written);
            Box::pin(async move {
                if request.method() == Method::POST.as_str() {
                    written.acquire().await.unwrap().forget();
                }
                HttpResponse::Ok().body(format!("{n}"))
            })
        }
    };
    let build = |cache: Builder| cache.ttl(MINUTE).invalidate_on_write();
    let site = Site::start_slow(&scene, build, handler).await;
    site.get("/a").await.assert(200, "1", "fwd=uri-miss");
    let request = site.request(Method::POST, "/a").timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(site.calls(), 2);
    // The server detects it, and drops the response that the client waited for.
    sleep(Duration::from_millis(100)).await;
    site.get("/a").await.assert(200, "1", "hit");
    written.add_permits(1);
    eventually(MINUTE, "it is invalidated", async || {
        (site.get("/a").await.body == "3").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_write_to_a_path_invalidates_all_its_responses() {
    let scene = Scene::new().await;
    let build = |cache: Builder| cache.ttl(MINUTE).any_host().invalidate_on_write();
    let handler = |request: &HttpRequest, n: usize| {
        let status = if request.query_string() == "refused" {
            StatusCode::CONFLICT
        } else {
            StatusCode::OK
        };
        HttpResponse::build(status).body(format!("{n}"))
    };
    let (site, other) = (
        Site::start(&scene, build, handler).await,
        Site::start(&scene, build, handler).await,
    );
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let n = site.calls();
        site.get("/a?x").await;
        site.get("/b").await;
        assert!(other.get("/a?x").await.is_hit());
        Got::of(site.request(method.clone(), "/a?refused")).await.assert(
            409,
            &format!("{}", site.calls()),
            "fwd=method",
        );
        assert!(other.get("/a?x").await.is_hit(), "{method}");
        Got::of(site.request(method.clone(), "/a"))
            .await
            .assert(200, &format!("{}", site.calls()), "fwd=method");
        assert!(!other.get("/a?x").await.is_hit(), "{method}");
        assert!(other.get("/b").await.is_hit());
        assert!(site.calls() > n);
        // Stored again by the other instance.
        Got::of(site.request(Method::POST, "/a")).await;
    }
}
