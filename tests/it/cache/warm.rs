//! Warming, by one instance for all.

use super::{SOON, embedded, id, minute};
use crate::support::{Scene, eventually};
use fleetpulse::cache::{Cache, Warmed};
use futures_util::future::join_all;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[actix_web::test]
async fn of_many_instances_that_start_together_one_warms_the_cache() {
    let scene = Scene::new().await;
    let (ran, mut instances) = (Arc::new(AtomicU64::new(0)), Vec::new());
    for _ in 0..5 {
        let cache = embedded(&scene).await;
        for name in ["prices", "catalog"] {
            let ran = Arc::clone(&ran);
            cache.add_warmer(name, move |cache: Cache| {
                ran.fetch_add(1, Ordering::SeqCst);
                async move {
                    let set = cache.set(&id(name), "k", &1, &minute()).await;
                    set.map_err(|error| error.to_string())
                }
            });
        }
        cache.add_warmer("broken", |_| async { Err("on purpose".to_owned()) });
        instances.push(cache);
    }
    let all = join_all(instances.iter().map(|cache| cache.warm_within(Duration::ZERO))).await;
    let here = all
        .iter()
        .filter(|warmed| matches!(warmed, Ok(Warmed::Here { done: 2, failed: 1 })));
    let elsewhere = all.iter().filter(|warmed| matches!(warmed, Ok(Warmed::Elsewhere)));
    assert_eq!((here.count(), elsewhere.count()), (1, 4), "{all:?}");
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    assert!(instances[4].exists(&id("catalog"), "k").await.unwrap());
    // The lease expires by itself.
    let left: i64 = scene
        .redis
        .query(redis::cmd("PTTL").arg(scene.keys().cache_warming()))
        .await;
    assert!(left > 0 && left <= 30_000, "{left}");
}

#[actix_web::test]
async fn a_warming_is_continued_after_a_crash_and_not_repeated_after_its_end() {
    let scene = Scene::new().await;
    let ran = Arc::new(AtomicU64::new(0));
    let (crashing, lives) = (embedded(&scene).await, embedded(&scene).await);
    crashing.add_warmer("stuck", |_| pending());
    let counted = Arc::clone(&ran);
    lives.add_warmer("prices", move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    });
    let warming = actix_web::rt::spawn(async move { crashing.warm().await });
    let turn = scene.keys().cache_warming();
    eventually(SOON, "it has the turn", async || {
        let has: i64 = scene.redis.query(redis::cmd("EXISTS").arg(&turn)).await;
        (has == 1).then_some(())
    })
    .await;
    // A caller that does not wait leaves it to the other instance.
    assert_eq!(lives.warm().await.unwrap(), Warmed::Elsewhere);
    warming.abort();
    let here = Warmed::Here { done: 1, failed: 0 };
    assert_eq!(lives.warm_within(SOON).await.unwrap(), here);
    assert_eq!(lives.warm_within(SOON).await.unwrap(), Warmed::Elsewhere);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn an_explicit_warming_runs_even_after_a_recent_one() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    cache.add_warmer("prices", |cache: Cache| async move {
        let set = cache.set(&id("prices"), "k", &1, &minute()).await;
        set.map_err(|error| error.to_string())
    });
    let here = Warmed::Here { done: 1, failed: 0 };
    assert_eq!(cache.warm_within(SOON).await.unwrap(), here);
    cache.clear(&id("prices")).await.unwrap();
    // An instance that starts does not repeat it; an explicit request does.
    assert_eq!(cache.warm_within(SOON).await.unwrap(), Warmed::Elsewhere);
    assert!(!cache.exists(&id("prices"), "k").await.unwrap());
    assert_eq!(cache.warm().await.unwrap(), here);
    assert!(cache.exists(&id("prices"), "k").await.unwrap());
}
