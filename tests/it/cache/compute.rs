//! Get or compute: one computation for any number of callers, and stale values if they are allowed.

use super::{MINUTE, SOON, embedded, embedded_with, get_or, id, minute};
use crate::support::{Redis, Scene, eventually};
use actix_web::rt;
use fleetpulse::cache::{Cache, CacheError, CacheSettings, ComputeError, Fetched, Level, Made, Policy, Put, Source};
use futures_util::future::join_all;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// A slow source that counts its calls.
#[derive(Clone, Default)]
struct Origin(Arc<AtomicU64>);

impl Origin {
    fn asked(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    async fn fetch(&self, cache: &Cache, policy: &Policy, takes: Duration) -> Fetched<u64> {
        self.fetch_for("k", cache, policy, takes).await
    }

    async fn fetch_for(&self, key: &str, cache: &Cache, policy: &Policy, takes: Duration) -> Fetched<u64> {
        let origin = self.clone();
        let compute = move || async move {
            let value = origin.0.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(takes).await;
            Ok::<_, Infallible>(value)
        };
        cache.get_or_compute(&id("n"), key, policy, compute).await.unwrap()
    }
}

/// Callers arrive while a computation begins and ends, so that some read the cache before the value was stored, and call after it
/// was stored.
async fn is_computed_once_however_they_come(instances: &[Cache], policy: &Policy) {
    for round in 0..60 {
        let (key, origin) = (format!("k{round}"), Origin::default());
        let all = (0..200_usize).map(async |n| {
            sleep(Duration::from_millis(n as u64 / 40)).await;
            for _ in 0..n % 40 {
                tokio::task::yield_now().await;
            }
            let instance = &instances[n % instances.len()];
            origin.fetch_for(&key, instance, policy, Duration::from_millis(1)).await
        });
        let all = join_all(all).await;
        assert_eq!(origin.asked(), 1, "round {round}");
        assert!(all.iter().all(|fetched| fetched.value == 1));
    }
}

#[actix_web::test]
async fn a_read_before_the_end_of_a_computation_does_not_cause_another_one() {
    let scene = Scene::new().await;
    let one = [embedded(&scene).await];
    is_computed_once_however_they_come(&one, &Policy::new(minute())).await;
    let several = [embedded(&scene).await, embedded(&scene).await, embedded(&scene).await];
    several[0].clear(&id("n")).await.unwrap();
    is_computed_once_however_they_come(&several, &Policy::new(minute()).leased(SOON)).await;
}

#[actix_web::test]
async fn a_thousand_concurrent_misses_are_one_computation() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let (origin, policy) = (Origin::default(), Policy::new(minute()));
    let all = (0..1_000).map(|_| origin.fetch(&cache, &policy, Duration::from_millis(100)));
    let all = join_all(all).await;
    assert_eq!(origin.asked(), 1);
    assert!(all.iter().all(|fetched| fetched.value == 1));
    let computed = all.iter().filter(|fetched| fetched.source == Source::Computed).count();
    assert_eq!(computed, 1);
    let stats = cache.shared().stats();
    assert_eq!(
        (stats.total.computed, stats.total.computations_saved, stats.computing),
        (1, 999, 0)
    );
}

#[actix_web::test]
async fn several_threads_of_a_process_share_a_computation() {
    let scene = Scene::new().await;
    let first = embedded(&scene).await;
    let origin = Origin::default();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (shared, store) = (Arc::clone(first.shared()), first.clone());
            let origin = origin.clone();
            thread::spawn(move || {
                rt::System::new().block_on(async move {
                    // A worker of its own would have a connection of its own; what they share is the process.
                    assert!(Arc::ptr_eq(store.shared(), &shared));
                    let policy = Policy::new(minute());
                    let all = (0..50).map(|_| origin.fetch(&store, &policy, Duration::from_millis(200)));
                    assert!(join_all(all).await.iter().all(|fetched| fetched.value == 1));
                });
            })
        })
        .collect();
    eventually(SOON, "all threads have ended", async || {
        threads.iter().all(thread::JoinHandle::is_finished).then_some(())
    })
    .await;
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(origin.asked(), 1);
}

#[actix_web::test]
async fn with_a_lease_several_instances_compute_once() {
    let scene = Scene::new().await;
    let instances = [embedded(&scene).await, embedded(&scene).await, embedded(&scene).await];
    let (origin, policy) = (Origin::default(), Policy::new(minute()).leased(Duration::from_secs(10)));
    let all = (0..90).map(|n| origin.fetch(&instances[n % 3], &policy, Duration::from_millis(200)));
    let all = join_all(all).await;
    assert_eq!(origin.asked(), 1);
    assert!(all.iter().all(|fetched| fetched.value == 1));
}

#[actix_web::test]
async fn a_lease_of_a_crashed_holder_is_awaited_until_it_expires() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let lease = scene.keys().cache_lease(&id("n"), "k").name;
    let () = scene
        .redis
        .query(redis::cmd("SET").arg(&lease).arg("gone").arg("PX").arg(300))
        .await;
    let (origin, policy) = (Origin::default(), Policy::new(minute()).leased(MINUTE));
    let began = Instant::now();
    let fetched = origin.fetch(&cache, &policy, Duration::ZERO).await;
    assert_eq!((fetched.value, fetched.source), (1, Source::Computed));
    assert!(began.elapsed() < SOON / 2);
    // Its own lease ended with the computation.
    assert!(!scene.redis.query::<bool>(redis::cmd("EXISTS").arg(&lease)).await);
}

#[actix_web::test]
async fn a_dropped_waiter_does_not_end_the_computation() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let (origin, policy) = (Origin::default(), Policy::new(minute()));
    let first = origin.fetch(&cache, &policy, Duration::from_millis(150));
    assert!(tokio::time::timeout(Duration::from_millis(50), first).await.is_err());
    eventually(SOON, "it is stored all the same", async || {
        cache.get::<u64>(&id("n"), "k").await.unwrap().map(drop)
    })
    .await;
    assert_eq!(origin.asked(), 1);
}

#[derive(Debug, PartialEq)]
struct Broken(u32);

#[actix_web::test]
async fn the_error_of_a_computation_goes_to_all_waiters_and_is_not_stored() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let policy = Policy::new(minute()).leased(MINUTE);
    let asked = Arc::new(AtomicU64::new(0));
    let fail = async || {
        let asked = Arc::clone(&asked);
        let compute = move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
            Err::<u64, _>(Broken(7))
        };
        cache.get_or_compute(&id("n"), "k", &policy, compute).await
    };
    let all = join_all((0..50).map(|_| fail())).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for failed in all {
        assert!(matches!(failed, Err(ComputeError::Failed(error)) if *error == Broken(7)));
    }
    // Its lease is released, and the next one may try at once.
    assert_eq!(get_or(&cache, "n", "k", &policy, 5).await, 5);
}

#[actix_web::test]
async fn a_panic_in_a_computation_is_reported_to_all_waiters() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    // Its lease is released as well.
    let policy = Policy::new(minute()).leased(MINUTE);
    let panics = async || {
        let compute = || async {
            assert!(!cache_is_broken(), "on purpose");
            Ok::<u64, Infallible>(1)
        };
        cache.get_or_compute(&id("n"), "k", &policy, compute).await
    };
    let (one, other) = tokio::join!(panics(), panics());
    assert!(matches!(one, Err(ComputeError::Lost)), "{one:?}");
    assert!(matches!(other, Err(ComputeError::Lost)), "{other:?}");
    assert_eq!(get_or(&cache, "n", "k", &policy, 5).await, 5);
}

fn cache_is_broken() -> bool {
    true
}

#[actix_web::test]
async fn a_stale_value_is_served_while_one_caller_computes_it_again() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let origin = Origin::default();
    let put = Put::fresh_for(Duration::from_millis(40)).stale_for(MINUTE, Duration::ZERO);
    let policy = Policy {
        beta: 0.0,
        ..Policy::new(put)
    };
    assert_eq!(
        origin.fetch(&cache, &policy, Duration::ZERO).await.source,
        Source::Computed
    );
    eventually(SOON, "it is stale", async || {
        let left = cache.ttl(&id("n"), "k").await.unwrap().unwrap();
        left.fresh_for.is_zero().then_some(())
    })
    .await;
    let minute = Policy {
        put: minute(),
        ..policy
    };
    let began = Instant::now();
    let all = join_all((0..100).map(|_| origin.fetch(&cache, &minute, Duration::from_millis(300)))).await;
    assert!(began.elapsed() < Duration::from_millis(250), "no caller waits");
    assert!(
        all.iter()
            .all(|fetched| (fetched.value, fetched.source) == (1, Source::Stale))
    );
    eventually(SOON, "the new value is there", async || {
        (origin.fetch(&cache, &minute, Duration::ZERO).await.value == 2).then_some(())
    })
    .await;
    assert_eq!(origin.asked(), 2);
}

#[actix_web::test]
async fn a_stale_value_is_served_on_error_for_as_long_as_allowed() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let put = Put::fresh_for(Duration::from_millis(20)).stale_for(Duration::ZERO, Duration::from_millis(400));
    let policy = Policy {
        beta: 0.0,
        ..Policy::new(put)
    };
    assert_eq!(get_or(&cache, "n", "k", &policy, 1).await, 1);
    sleep(Duration::from_millis(30)).await;
    // It is served only after a failure.
    assert!(cache.get::<u64>(&id("n"), "k").await.unwrap().is_none());
    let fail = async || {
        cache
            .get_or_compute(&id("n"), "k", &policy, || async { Err::<u64, _>(Broken(1)) })
            .await
    };
    let fetched = fail().await.unwrap();
    assert_eq!((fetched.value, fetched.source), (1, Source::StaleOnError));
    eventually(SOON, "that one has expired as well", async || {
        fail().await.is_err().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_entry_is_refreshed_before_it_expires() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let origin = Origin::default();
    // As eager as can be: any fresh entry that took time is due.
    let policy = Policy {
        beta: 1e9,
        ..Policy::new(minute())
    };
    let takes = Duration::from_millis(30);
    assert_eq!(origin.fetch(&cache, &policy, takes).await.value, 1);
    assert_eq!(
        origin.fetch(&cache, &policy, takes).await.source,
        Source::Fresh(Level::Shared)
    );
    eventually(SOON, "it was computed again", async || {
        let hit = cache.get::<u64>(&id("n"), "k").await.unwrap().unwrap();
        (hit.value == 2).then_some(())
    })
    .await;
    assert_eq!(cache.shared().stats().total.refreshed_early, 1);
}

#[actix_web::test]
async fn an_entry_in_process_memory_is_refreshed_before_it_expires_too() {
    let scene = Scene::new().await;
    let settings = CacheSettings {
        local_ttl_ms: 60_000,
        ..CacheSettings::default()
    };
    let cache = embedded_with(&scene.redis.url(), &scene, settings).await;
    let origin = Origin::default();
    let kept = Policy {
        beta: 0.0,
        ..Policy::new(minute().kept_locally(MINUTE))
    };
    let takes = Duration::from_millis(30);
    eventually(SOON, "it is kept in the process", async || {
        let fetched = origin.fetch(&cache, &kept, takes).await;
        (fetched.source == Source::Fresh(Level::Local)).then_some(())
    })
    .await;
    let eager = Policy {
        beta: 1e9,
        ..kept.clone()
    };
    // No caller waits for that.
    assert_eq!(origin.fetch(&cache, &eager, takes).await.value, 1);
    eventually(SOON, "it was computed again", async || {
        (origin.asked() == 2).then_some(())
    })
    .await;
    eventually(SOON, "the new one is kept", async || {
        let fetched = origin.fetch(&cache, &kept, takes).await;
        (fetched.value == 2 && fetched.source == Source::Fresh(Level::Local)).then_some(())
    })
    .await;
    assert_eq!(cache.shared().stats().total.refreshed_early, 1);
}

#[actix_web::test]
async fn the_computing_caller_gets_the_ttl_with_jitter() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let (origin, policy) = (Origin::default(), Policy::new(minute().jittered(1.0)));
    for n in 0..10 {
        let key = format!("k{n}");
        let fetched = origin.fetch_for(&key, &cache, &policy, Duration::ZERO).await;
        // It may have expired already at the random time.
        let left = cache.ttl(&id("n"), &key).await.unwrap();
        let left = left.map_or(Duration::ZERO, |left| left.fresh_for);
        let difference = fetched.fresh_for.abs_diff(left);
        assert!(difference < Duration::from_secs(1), "{:?} {left:?}", fetched.fresh_for);
    }
}

#[actix_web::test]
async fn a_computation_may_return_a_value_that_is_not_stored() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let policy = Policy::new(minute()).leased(MINUTE);
    for _ in 0..2 {
        let made = || async {
            Ok::<_, Infallible>(Made {
                bytes: "x".into(),
                put: None,
            })
        };
        let fetched = cache.fetch(&id("n"), "k", &policy, made).await.unwrap();
        assert_eq!((&fetched.value[..], fetched.source), (&b"x"[..], Source::Computed));
    }
}

#[actix_web::test]
async fn the_number_of_computations_is_bounded() {
    let scene = Scene::new().await;
    let settings = CacheSettings {
        max_computations: 2,
        ..CacheSettings::default()
    };
    let cache = embedded_with(&scene.redis.url(), &scene, settings).await;
    let (gate, policy, n) = (Arc::new(Semaphore::new(0)), Policy::new(minute()), id("n"));
    let slow = |key: &'static str| {
        let gate = Arc::clone(&gate);
        let compute = move || async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(1_u64)
        };
        cache.get_or_compute(&n, key, &policy, compute)
    };
    let (one, other) = (slow("a"), slow("b"));
    let asking = async {
        eventually(SOON, "two are under way", async || {
            (cache.shared().stats().computing == 2).then_some(())
        })
        .await;
        let refused = cache
            .get_or_compute(&n, "c", &policy, || async { Ok::<_, Infallible>(1_u64) })
            .await;
        assert!(
            matches!(refused, Err(ComputeError::Cache(CacheError::Busy))),
            "{refused:?}"
        );
        gate.add_permits(2);
    };
    let (one, other, ()) = tokio::join!(one, other, asking);
    assert!(one.is_ok() && other.is_ok());
}

#[actix_web::test]
async fn while_redis_refuses_writes_one_caller_computes_for_all() {
    let scene = Scene::on(Redis::durable().await);
    let cache = embedded(&scene).await;
    let mut limit = redis::cmd("CONFIG");
    let () = scene
        .redis
        .query(
            limit
                .arg("SET")
                .arg("maxmemory")
                .arg("1")
                .arg("maxmemory-policy")
                .arg("noeviction"),
        )
        .await;
    let (origin, policy) = (Origin::default(), Policy::new(minute().tagged([id("t")])));
    let first = origin.fetch(&cache, &policy, Duration::from_millis(500));
    let others = async {
        eventually(SOON, "it has begun", async || (origin.asked() == 1).then_some(())).await;
        join_all((0..50).map(|_| origin.fetch(&cache, &policy, Duration::ZERO))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert_eq!((first.value, origin.asked()), (1, 1));
    assert!(others.iter().all(|fetched| fetched.source == Source::Joined));
}

#[actix_web::test]
async fn a_stale_value_of_another_type_is_a_miss() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let policy = Policy::new(minute());
    let text = || async { Ok::<_, Infallible>("text".to_owned()) };
    let fetched = cache.get_or_compute(&id("n"), "k", &policy, text).await.unwrap();
    assert_eq!(fetched.value, "text");
    let eager = Policy { beta: 1e12, ..policy };
    assert_eq!(get_or(&cache, "n", "k", &eager, 2).await, 2);
}
