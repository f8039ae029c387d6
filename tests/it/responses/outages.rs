//! Redis is unavailable, frozen, or contains invalid data.

use super::{Got, Site};
use crate::support::{Redis, Scene, eventually};
use actix_web::HttpResponse;
use fleetpulse::ids::Id;
use fleetpulse::response_cache::ResponseOptions;
use futures_util::future::join_all;
use redis::cmd;
use reqwest::Method;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_secs(20);

async fn start<R: AsRef<Redis>>(scene: &Scene<R>, redis_timeout_ms: u32) -> Site {
    let options = ResponseOptions {
        redis_timeout: Duration::from_millis(redis_timeout_ms.into()),
        ..ResponseOptions::default()
    };
    Site::start_with(
        scene,
        options,
        |cache| cache.ttl(MINUTE),
        |_, n| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                HttpResponse::Ok().body(format!("{n}"))
            })
        },
    )
    .await
}

#[actix_web::test]
async fn without_redis_requests_are_answered_as_without_the_cache() {
    let mut scene = Scene::on(Redis::durable().await);
    let site = start(&scene, 5_000).await;
    site.get("/a").await.assert(200, "1", "fwd=uri-miss; stored");
    scene.redis.kill();
    let asked = Instant::now();
    for n in 2..12 {
        let got = site.get("/a").await;
        got.assert(200, &format!("{n}"), "fwd=miss; detail=redis-unavailable");
    }
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    // Concurrent requests still share one answer.
    let all = join_all((0..20).map(|_| site.get("/a"))).await;
    assert!(all.iter().all(|got| got.status == 200), "{all:?}");
    assert!(site.calls() < 20, "{}", site.calls());
    scene.redis.restart().await;
    eventually(SOON, "it is answered from the cache again", async || {
        site.get("/a").await.is_hit().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_write_without_redis_is_answered_and_reports_the_failed_invalidation() {
    let mut scene = Scene::on(Redis::durable().await);
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE).invalidate_on_write(),
        |_, n| HttpResponse::Ok().body(format!("{n}")),
    )
    .await;
    scene.redis.kill();
    let got = Got::of(site.request(Method::POST, "/a")).await;
    got.assert(200, "1", "fwd=method; detail=not-invalidated");
    // It is repeated for a moment, so that a connection that breaks costs nothing.
    let write = Got::of(site.request(Method::POST, "/a"));
    let back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.redis.restart().await;
    };
    let (got, ()) = futures_util::future::join(write, back).await;
    assert_eq!((got.status, &*got.body), (200, "2"), "{got:?}");
    eventually(SOON, "writes invalidate again", async || {
        let got = Got::of(site.request(Method::POST, "/a")).await;
        (got.cache() == "fwd=method").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_frozen_redis_delays_requests_for_no_longer_than_the_timeout() {
    let scene = Scene::on(Redis::forgetful().await);
    let site = start(&scene, 100).await;
    eventually(SOON, "it is stored", async || {
        site.get("/a").await.is_hit().then_some(())
    })
    .await;
    scene.redis.freeze();
    let frozen = Instant::now();
    let mut longest = Duration::ZERO;
    let mut answered = 0;
    while frozen.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let got = site.get("/a").await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(got.cache().contains("redis-unavailable"), "{got:?}");
        longest = longest.max(asked.elapsed());
        answered += 1;
    }
    scene.redis.thaw();
    // The timeout, the handler's 20 ms, and a busy machine.
    assert!(longest < Duration::from_millis(600), "{longest:?}");
    // A worker tries Redis once a second; all other requests do not wait.
    assert!(answered > 40, "{answered}");
    eventually(SOON, "it is answered from the cache again", async || {
        site.get("/a").await.is_hit().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_unreadable_entry_is_a_miss() {
    let scene = Scene::new().await;
    let site = start(&scene, 5_000).await;
    site.get("/a").await.assert(200, "1", "fwd=uri-miss; stored");
    let entries = scene.keys().cache_entries(&Id::parse("site").unwrap(), 0);
    let keys: Vec<String> = scene.redis.query(cmd("KEYS").arg(format!("{entries}*"))).await;
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let whole: Vec<u8> = scene.redis.query(cmd("GET").arg(key)).await;
    let mut n = 1;
    let mut poison = vec![b"rubbish".to_vec(), Vec::new(), vec![0; 4_096], b"{\"a\":1}".to_vec()];
    poison.extend((1..whole.len()).step_by(23).map(|end| whole[..end].to_vec()));
    // The entry is intact, but its value is not.
    let mut inside = whole.clone();
    let end = inside.len() - 3;
    inside.truncate(end);
    poison.push(inside);
    for poison in poison {
        let _: () = scene
            .redis
            .query(cmd("SET").arg(key).arg(&poison).arg("PX").arg(60_000))
            .await;
        n += 1;
        let got = site.get("/a").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (200, &*n.to_string()),
            "{got:?} {poison:?}"
        );
    }
    site.get("/a").await.assert(200, &n.to_string(), "hit");
}
