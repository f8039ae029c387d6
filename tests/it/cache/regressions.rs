//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::{CacheApi, SOON, embedded, get_or, id, minute, tagged};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::cache::{CacheError, Put};
use serde_json::json;
use std::time::Duration;

#[actix_web::test]
async fn ttl_0_meant_no_expiry() {
    let scene = Scene::new().await;
    let (cache, service) = (embedded(&scene).await, scene.start().await);
    let nothing = Put::fresh_for(Duration::ZERO);
    assert!(matches!(
        cache.set(&id("n"), "k", &1, &nothing).await,
        Err(CacheError::Ttl)
    ));
    assert!(matches!(
        cache.touch(&id("n"), "k", Duration::ZERO).await,
        Err(CacheError::Ttl)
    ));
    assert!(matches!(
        cache.incr(&id("n"), "c", 1, Duration::ZERO).await,
        Err(CacheError::Ttl)
    ));
    let api = CacheApi::of(&service);
    api.put("n/k", json!({"value": 1, "ttl_s": 0}))
        .await
        .assert_problem(422, &["/ttl_s"]);
    api.post("n", json!({"set": [{"key": "k", "value": 1, "ttl_ms": 0}]}))
        .await
        .assert_problem(422, &["/set/0/ttl_ms"]);
    // An entry without a TTL has the default.
    api.put("n/k", json!({"value": 1})).await;
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    let left: i64 = scene.redis.query(redis::cmd("PTTL").arg(name)).await;
    assert!(left > 200_000 && left <= 300_000, "{left}");
}

#[actix_web::test]
async fn an_error_looked_like_a_miss() {
    let scene = Scene::on(Redis::forgetful().await);
    let (cache, service) = (embedded(&scene).await, scene.start().await);
    assert!(cache.get::<u64>(&id("n"), "k").await.unwrap().is_none());
    scene.redis.kill();
    assert!(matches!(
        cache.get::<u64>(&id("n"), "k").await,
        Err(CacheError::Store(_))
    ));
    assert!(matches!(cache.exists(&id("n"), "k").await, Err(CacheError::Store(_))));
    assert!(matches!(
        cache.get_many::<u64>(&id("n"), &["k"]).await,
        Err(CacheError::Store(_))
    ));
    CacheApi::of(&service).get("n/k").await.assert_problem(503, &[]);
    let stats = cache.shared().stats().total;
    assert_eq!((stats.misses, stats.errors), (1, 2));
}

#[actix_web::test]
async fn tag_sets_leaked() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    for n in 0..200 {
        let put = Put::fresh_for(Duration::from_millis(20)).tagged([id("t")]);
        cache.set(&id("n"), &format!("k{n}"), &1, &put).await.unwrap();
    }
    let tag = scene.keys().cache_tag(&id("t")).name;
    // However many entries had it, a tag is 24 bytes, and expires.
    assert_eq!(scene.redis.query::<u64>(redis::cmd("STRLEN").arg(&tag)).await, 24);
    assert!(scene.redis.query::<i64>(redis::cmd("PTTL").arg(&tag)).await > 0);
    eventually(SOON, "the entries have ended and left nothing", async || {
        (scene.stored("").await.len() == 2).then_some(())
    })
    .await;
    cache.invalidate(&[id("t")]).await.unwrap();
    assert!(!scene.redis.query::<bool>(redis::cmd("EXISTS").arg(&tag)).await);
}

#[actix_web::test]
async fn thousands_of_keys_were_listed_and_deleted_at_once() {
    let scene = Scene::on(Redis::forgetful().await);
    let cache = embedded(&scene).await;
    let names: Vec<String> = (0..5_000).map(|n| format!("k{n}")).collect();
    let values: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(0..).collect();
    cache
        .set_many(&id("n"), &values, &minute().tagged([id("t")]))
        .await
        .unwrap();
    let _: String = scene.redis.query(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    cache.clear(&id("n")).await.unwrap();
    cache.invalidate(&[id("t")]).await.unwrap();
    cache.list(&id("n"), "*", 0).await.unwrap();
    let stats: String = scene.redis.query(redis::cmd("INFO").arg("commandstats")).await;
    let calls = |command: &str| {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    assert_eq!(
        (calls("keys"), calls("del"), calls("unlink"), calls("scan")),
        (0, 0, 2, 1),
        "{stats}"
    );
    assert!(!cache.exists(&id("n"), "k7").await.unwrap());
}

#[actix_web::test]
async fn a_value_computed_before_the_invalidation_overwrote_it() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let ticket = cache.ticket(&id("n"), "k", &[id("t")]).await.unwrap();
    cache.invalidate(&[id("t")]).await.unwrap();
    // Whether it is in Redis or not, it is not served.
    let put = minute().tagged([id("t")]);
    cache.store(&id("n"), "k", b"1", &put, Some(ticket)).await.unwrap();
    assert_eq!(get_or(&cache, "n", "k", &tagged("t"), 2).await, 2);
}
