//! Redis is unavailable, or does not answer.

use super::{CacheApi, LISTING, SOON, embedded, get_or, id, minute};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::cache::{CacheError, ComputeError, Outage, Policy};
use fleetpulse::store::StoreError;
use futures_util::future::join_all;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

#[actix_web::test]
async fn every_call_fails_at_once_and_works_again_after_the_outage() {
    let mut scene = Scene::on(Redis::durable().await).with(&[LISTING[0], "--cache-rules=a=tag:t"]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    assert_eq!(api.put("n/k", json!({"value": 1, "ttl_s": 60})).await.status, 204);
    scene.redis.kill();
    let began = Instant::now();
    let answers = [
        api.get("n/k").await,
        api.put("n/k", json!({"value": 2})).await,
        api.patch("n/k", json!({"ttl_s": 1})).await,
        api.delete("n/k").await,
        api.post("n", json!({"get": ["k"], "set": [{"key": "l", "value": 1}]}))
            .await,
        api.list("n").await,
        api.delete("n").await,
        api.post("tags/invalidate", json!({"tags": ["t"]})).await,
        api.post("events", json!({"type": "a", "entity_id": "x"})).await,
        api.post("counters/n/c", json!({})).await,
        api.get("counters/n/c").await,
        api.delete("counters/n/c").await,
    ];
    for answer in &answers {
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(api.get("stats").await.status, 200);
    scene.redis.restart().await;
    eventually(SOON, "every worker is connected", async || {
        let all = join_all((0..20).map(|_| api.get("n/k"))).await;
        all.iter().all(|answer| answer.status == 200).then_some(())
    })
    .await;
    assert_eq!(api.get("n/k").await.body["value"], 1);
}

#[actix_web::test]
async fn a_read_fails_and_a_computed_value_is_shared_but_not_stored() {
    let mut scene = Scene::on(Redis::durable().await);
    let cache = embedded(&scene).await;
    let policy = Policy::new(minute().kept_locally(Duration::from_secs(5)));
    assert_eq!(get_or(&cache, "n", "k", &policy, 1).await, 1);
    scene.redis.kill();
    eventually(SOON, "the loss is noticed", async || {
        let looked = cache.get::<u64>(&id("n"), "k").await;
        matches!(looked, Err(CacheError::Store(StoreError::Unavailable))).then_some(())
    })
    .await;
    let asked = Arc::new(AtomicU64::new(0));
    let all = join_all((0..100).map(|_| {
        let asked = Arc::clone(&asked);
        let compute = move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
            Ok::<_, Infallible>(7_u64)
        };
        async { cache.get_or_compute(&id("n"), "k", &policy, compute).await }
    }))
    .await;
    assert!(all.into_iter().all(|fetched| fetched.unwrap().value == 7));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let strict = Policy {
        outage: Outage::Fail,
        ..policy.clone()
    };
    let failed = cache
        .get_or_compute(&id("n"), "k", &strict, || async { Ok::<_, Infallible>(1_u64) })
        .await;
    assert!(
        matches!(failed, Err(ComputeError::Cache(CacheError::Store(_)))),
        "{failed:?}"
    );
    scene.redis.restart().await;
    let found = eventually(SOON, "Redis is back", async || {
        cache.get::<u64>(&id("n"), "k").await.ok()
    })
    .await;
    assert_eq!(found.unwrap().value, 1);
}

#[actix_web::test]
async fn a_redis_that_does_not_answer_delays_calls_only_briefly() {
    let scene = Scene::on(Redis::forgetful().await);
    let cache = embedded(&scene).await;
    assert_eq!(get_or(&cache, "n", "k", &Policy::new(minute()), 1).await, 1);
    scene.redis.freeze();
    let began = Instant::now();
    let value = get_or(&cache, "n", "other", &Policy::new(minute()), 2).await;
    let took = began.elapsed();
    scene.redis.thaw();
    assert_eq!(value, 2);
    // One timeout of Redis, and no more.
    assert!(took < Duration::from_millis(600), "{took:?}");
}
