//! The guard of the Rust interface.

use super::{SOON, embedded, embedded_at, embedded_with, name};
use crate::support::{Proxy, Redis, Scene, eventually, now_us};
use fleetpulse::ids::Id;
use fleetpulse::locks::{Grant, LockError, Locks, Wanted};
use redis::cmd;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

async fn is_free(locks: &Locks, l: &Id) {
    eventually(SOON, "it is free", async || {
        locks.inspect(l).await.unwrap().0.is_none().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_guard_renews_itself_as_long_as_it_exists() {
    let scene = Scene::new().await;
    let (locks, other) = (embedded(&scene).await, embedded(&scene).await);
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_millis(600)))
        .await
        .unwrap();
    let first_end = guard.until();
    let until = Instant::now() + Duration::from_millis(1_800);
    while Instant::now() < until {
        assert!(guard.is_held());
        let refused = other.grant(&l, &Wanted::lasting(Duration::from_secs(1))).await;
        let Err(LockError::Taken(Some(holder))) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(holder.fence, guard.fence());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(guard.until() > first_end);
    guard.release().await.unwrap();
    let next = other.grant(&l, &Wanted::lasting(Duration::from_secs(1))).await.unwrap();
    assert!(next.owner.is_none());
}

#[actix_web::test]
async fn a_dropped_guard_releases_the_lock() {
    let scene = Scene::new().await;
    let (locks, other) = (embedded(&scene).await, embedded(&scene).await);
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_mins(1)))
        .await
        .unwrap();
    let fence = guard.fence();
    let waiter = tokio::spawn({
        let l = l.clone();
        let wanted = Wanted::lasting(Duration::from_mins(1)).waiting(Duration::from_secs(30));
        async move { other.acquire(&l, wanted).await }
    });
    eventually(SOON, "it waits", async || {
        (locks.inspect(&l).await.unwrap().1 == 1).then_some(())
    })
    .await;
    drop(guard);
    let next = timeout(SOON, waiter).await.unwrap().unwrap().unwrap();
    assert!(next.fence() > fence);
    drop(next);
    is_free(&locks, &l).await;
}

#[actix_web::test]
async fn a_guard_whose_lock_was_taken_reports_the_loss_at_its_next_renewal() {
    let scene = Scene::new().await;
    let (locks, other) = (embedded(&scene).await, embedded(&scene).await);
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_millis(900)))
        .await
        .unwrap();
    assert!(guard.is_held());
    assert!(timeout(Duration::from_millis(50), guard.lost()).await.is_err());
    // As a Redis does that lost the end of its file.
    scene.redis.query::<()>(cmd("DEL").arg(scene.keys().lock(&l))).await;
    let next = other
        .acquire(&l, Wanted::lasting(Duration::from_mins(1)))
        .await
        .unwrap();
    timeout(SOON, guard.lost()).await.expect("the loss is reported");
    assert!(!guard.is_held());
    assert!(next.fence() > guard.fence());
    // Its calls no longer affect the new holder.
    let released = guard.release().await;
    assert!(matches!(released, Err(LockError::HeldByOther(_))), "{released:?}");
    assert!(next.is_held());
    assert_eq!(other.inspect(&l).await.unwrap().0.unwrap().fence, next.fence());
}

#[actix_web::test]
async fn a_guard_never_reports_its_lease_as_longer_than_it_is() {
    let scene = Scene::on(Redis::durable().await);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let locks = embedded_at(&proxy.url(), &scene).await;
    let other = embedded(&scene).await;
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_millis(900)))
        .await
        .unwrap();
    proxy.cut();
    timeout(SOON, guard.lost()).await.expect("the loss is reported");
    assert!(!guard.is_held());
    let wanted = Wanted::lasting(Duration::from_secs(1)).waiting(Duration::from_secs(5));
    let next = other.grant(&l, &wanted).await.unwrap();
    assert!(next.fence > guard.fence());
    assert!(Instant::now() >= guard.until().into_std());
}

#[actix_web::test]
async fn a_lease_is_not_reported_as_held_for_a_fraction_of_a_millisecond_too_long() {
    let scene = Scene::new().await;
    let locks = embedded(&scene).await;
    let l = name("l");
    let assert_over = |grant: &Grant| {
        // The clock of Redis is read first, so that the time between the two reads cannot fail the test.
        let now = Duration::from_micros(now_us().unsigned_abs());
        let left = grant.until.into_std().saturating_duration_since(Instant::now());
        let ends = Duration::from_millis(grant.expires_at_ms.unsigned_abs());
        assert!(now + left <= ends, "{:?} is after {ends:?}", now + left);
    };
    for _ in 0..200 {
        let wanted = Wanted::lasting(Duration::from_mins(1));
        let grant = locks.grant(&l, &wanted).await.unwrap();
        assert_over(&grant);
        // The same grant, as a repeated call gets it.
        assert_over(&locks.grant(&l, &wanted).await.unwrap());
        let ttl = Duration::from_secs(rand::random_range(61..90));
        assert_over(&locks.renew(&l, &grant.token, Some(ttl)).await.unwrap());
        locks.release(&l, &grant.token).await.unwrap();
    }
}

#[actix_web::test]
async fn a_guard_survives_an_interruption_that_is_shorter_than_its_lease() {
    let scene = Scene::on(Redis::durable().await);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let locks = embedded_at(&proxy.url(), &scene).await;
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_secs(3)))
        .await
        .unwrap();
    let first_end = guard.until();
    proxy.cut();
    // Long enough for a renewal to fail.
    sleep(Duration::from_millis(1_200)).await;
    assert!(guard.is_held());
    proxy.mend();
    eventually(SOON, "it is renewed", async || {
        (guard.until() > first_end).then_some(())
    })
    .await;
    assert!(guard.is_held());
    guard.release().await.unwrap();
}

#[actix_web::test]
async fn a_guard_releases_a_lease_that_an_unanswered_renewal_has_extended() {
    let scene = Scene::on(Redis::durable().await);
    let proxy = Proxy::to(&scene.redis.url()).await;
    // The timeout is so long that the connection is not closed before the renewal uses it.
    let locks = embedded_with(&proxy.url(), &scene, Duration::from_secs(30)).await;
    let other = embedded(&scene).await;
    let l = name("l");
    let wanted = Wanted::lasting(Duration::from_secs(9));
    let guard = locks.acquire(&l, wanted).await.unwrap();
    // Redis must have the script already, because the call cannot be repeated with its source.
    locks.renew(&l, guard.token(), None).await.unwrap();
    scene.redis.freeze();
    // The renewal is sent after three seconds, and its answer is lost when Redis resumes.
    sleep(Duration::from_millis(4_500)).await;
    proxy.cut();
    sleep(Duration::from_millis(500)).await;
    scene.redis.thaw();
    timeout(SOON, guard.lost()).await.expect("the loss is reported");
    let holder = eventually(SOON, "Redis is found", async || other.inspect(&l).await.ok())
        .await
        .0;
    let left = holder.expect("it was renewed").expires_in;
    assert!(left > Duration::from_secs(3), "{left:?}");
    proxy.mend();
    drop(guard);
    let dropped = Instant::now();
    is_free(&other, &l).await;
    assert!(
        dropped.elapsed() + Duration::from_millis(500) < left,
        "it ended by itself"
    );
}

#[actix_web::test]
async fn an_abandoned_acquisition_leaves_nothing_in_redis() {
    let scene = Scene::new().await;
    let locks = embedded(&scene).await;
    let l = name("l");
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_mins(1)))
        .await
        .unwrap();
    let wanted = || Wanted::lasting(Duration::from_mins(1)).waiting(Duration::from_mins(1));
    for _ in 0..20 {
        let acquiring = locks.acquire(&l, wanted());
        let dropped = timeout(Duration::from_millis(rand::random_range(0..5)), acquiring).await;
        assert!(dropped.is_err());
    }
    eventually(SOON, "no request waits", async || {
        (locks.inspect(&l).await.unwrap().1 == 0).then_some(())
    })
    .await;
    guard.release().await.unwrap();
    // The same if the call is dropped while it is granted.
    for _ in 0..50 {
        let asked = timeout(
            Duration::from_micros(rand::random_range(0..600)),
            locks.grant(&l, &wanted()),
        )
        .await;
        if let Ok(grant) = asked {
            locks.release(&l, &grant.unwrap().token).await.unwrap();
        }
    }
    is_free(&locks, &l).await;
}
