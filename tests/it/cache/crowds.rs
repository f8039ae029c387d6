//! Many concurrent callers of a value that cannot be stored.

use super::{SOON, embedded, embedded_with, id, minute};
use crate::support::{Redis, Scene, eventually};
use actix_web::rt;
use bytes::Bytes;
use fleetpulse::cache::{Cache, CacheSettings, Made, Policy};
use futures_util::future::join_all;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A computation that names a tag of its own, and returns the number of its call, once it is released.
#[derive(Clone)]
struct Origin {
    asked: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    size: usize,
}

impl Origin {
    fn of(size: usize) -> Self {
        Self {
            asked: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            size,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn fetch(&self, cache: &Cache) -> Bytes {
        let origin = self.clone();
        let compute = move || async move {
            let n = origin.asked.fetch_add(1, Ordering::SeqCst) + 1;
            origin.gate.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(Made {
                bytes: format!("{n:0size$}", size = origin.size).into(),
                put: Some(minute().tagged([id("own")])),
            })
        };
        let fetched = cache.fetch(&id("n"), "k", &Policy::new(minute()), compute).await;
        fetched.unwrap().value
    }
}

#[actix_web::test]
async fn a_value_that_is_too_large_to_be_stored_is_computed_once_for_all_waiters() {
    let scene = Scene::new().await;
    let settings = CacheSettings {
        max_value_bytes: 100,
        ..CacheSettings::default()
    };
    let cache = embedded_with(&scene.redis.url(), &scene, settings).await;
    let origin = Origin::of(101);
    // A computation without followers, so that all callers from now on join a computation that has begun.
    let first = {
        let (origin, cache) = (origin.clone(), cache.clone());
        rt::spawn(async move { origin.fetch(&cache).await })
    };
    eventually(SOON, "it has begun", async || (origin.asked() == 1).then_some(())).await;
    let all: Vec<_> = (0..100)
        .map(|_| {
            let (origin, cache) = (origin.clone(), cache.clone());
            rt::spawn(async move { origin.fetch(&cache).await })
        })
        .collect();
    let missed = async || (cache.shared().stats().total.misses == 101).then_some(());
    eventually(SOON, "all have looked", missed).await;
    origin.gate.add_permits(1_000);
    first.await.unwrap();
    for waited in join_all(all).await {
        // Computed after their calls.
        assert_ne!(waited.unwrap(), format!("{:0101}", 1));
    }
    assert!(origin.asked() <= 6, "{}", origin.asked());
}

#[actix_web::test]
async fn while_redis_refuses_writes_tags_named_by_the_computation_count_too() {
    let scene = Scene::on(Redis::forgetful().await);
    let (cache, other) = (embedded(&scene).await, embedded(&scene).await);
    let mut full = redis::cmd("CONFIG");
    full.arg(&["SET", "maxmemory", "1", "maxmemory-policy", "noeviction"]);
    let () = scene.redis.query(&full).await;
    let origin = Origin::of(1);
    let fetch = || {
        let (origin, cache) = (origin.clone(), cache.clone());
        rt::spawn(async move { origin.fetch(&cache).await })
    };
    let before = fetch();
    eventually(SOON, "it has begun", async || (origin.asked() == 1).then_some(())).await;
    other.invalidate(&[id("own")]).await.unwrap();
    let after = fetch();
    let missed = async || (cache.shared().stats().total.misses == 2).then_some(());
    eventually(SOON, "the second one has looked", missed).await;
    origin.gate.add_permits(10);
    assert_eq!(before.await.unwrap(), "1");
    assert_eq!(after.await.unwrap(), "2");
}
