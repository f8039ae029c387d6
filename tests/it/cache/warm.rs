//! Warming, by one instance for all.

use super::{embedded, id, minute};
use crate::support::Scene;
use fleetpulse::cache::{Cache, Warmed};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[actix_web::test]
async fn of_many_instances_that_start_together_one_warms() {
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
    let all = join_all(instances.iter().map(Cache::warm)).await;
    let here = all
        .iter()
        .filter(|warmed| matches!(warmed, Ok(Warmed::Here { done: 2, failed: 1 })));
    let elsewhere = all.iter().filter(|warmed| matches!(warmed, Ok(Warmed::Elsewhere)));
    assert_eq!((here.count(), elsewhere.count()), (1, 4), "{all:?}");
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    assert!(instances[4].exists(&id("catalog"), "k").await.unwrap());
    // Its turn ends by itself, also if it dies.
    let left: i64 = scene
        .redis
        .query(redis::cmd("PTTL").arg(scene.keys().cache_warming()))
        .await;
    assert!(left > 0 && left <= 30_000, "{left}");
}
