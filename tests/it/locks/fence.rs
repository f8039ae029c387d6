//! Fences grow with every grant, regardless of faults in between.

use super::{LockApi, name};
use crate::support::{Scene, now_ms};
use fleetpulse::tracking::input::parse_rfc3339;
use redis::cmd;

#[actix_web::test]
async fn each_grant_has_a_greater_fence_than_the_last() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (LockApi::of(&one), LockApi::of(&other));
    let mut last = 0;
    for round in 0..20 {
        let locks = if round % 2 == 0 { &one } else { &other };
        let ends_by_itself = round % 7 == 0;
        let (token, fence) = locks.grant("l", if ends_by_itself { 100 } else { 30_000 }).await;
        assert!(fence > last, "{fence} after {last}");
        last = fence;
        if ends_by_itself {
            locks.is_free("l").await;
        } else {
            assert_eq!(locks.release("l", &token).await.status, 204);
        }
    }
}

#[actix_web::test]
async fn fences_grow_even_if_redis_lost_the_last_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (_, before) = locks.grant("l", 30_000).await;
    let key = scene.keys().lock(&name("l"));
    assert_eq!(scene.redis.query::<u64>(cmd("DEL").arg(&key)).await, 1);
    let (_, after) = locks.grant("l", 30_000).await;
    assert!(after > before, "{after} after {before}");
}

#[actix_web::test]
async fn a_clock_that_was_set_back_does_not_decrease_the_fence() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (token, fence) = locks.grant("l", 30_000).await;
    locks.release("l", &token).await;
    // As if it had been granted when the clock was a day ahead.
    let ahead = fence + 24 * 3_600 * 1_000_000;
    let key = scene.keys().lock(&name("l"));
    scene
        .redis
        .query::<()>(cmd("HSET").arg(&key).arg("fence").arg(ahead))
        .await;
    let (_, next) = locks.grant("l", 30_000).await;
    assert_eq!(next, ahead + 1);
}

#[actix_web::test]
async fn a_clock_that_was_set_back_keeps_a_lock_no_longer_than_the_longest_lease() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let key = scene.keys().lock(&name("l"));
    let (token, fence) = locks.grant("l", 30_000).await;
    let day_ahead = now_ms() + 24 * 3_600 * 1_000;
    // As if it had been granted when the clock was a day ahead.
    let mut ahead = cmd("HSET");
    scene
        .redis
        .query::<()>(ahead.arg(&key).arg("until_ms").arg(day_ahead))
        .await;
    let ends = async || {
        let taken = locks.acquire("l", serde_json::json!({"ttl_ms": 1_000})).await;
        taken.assert_problem(409, &[]);
        parse_rfc3339(taken.body["expires_at"].as_str().unwrap()).unwrap()
    };
    let first = ends().await;
    assert!(first <= now_ms() + 3_600_000, "{first}");
    assert_eq!(ends().await, first, "it does not move");
    assert_eq!(locks.look("l").await.body["fence"], fence);
    assert_eq!(locks.release("l", &token).await.status, 204);
    // An offer does not last longer either.
    let mut offer = cmd("HSET");
    offer.arg(&key).arg("offer").arg("0-0").arg("offer_ms").arg(day_ahead);
    scene.redis.query::<()>(&offer).await;
    locks.grant("l", 1_000).await;
}

#[actix_web::test]
async fn every_key_of_a_lock_expires() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (token, _) = locks.grant("l", 30_000).await;
    let (key, queue) = (scene.keys().lock(&name("l")), scene.keys().lock_queue(&name("l")));
    let ttl_s = async |key: &str| scene.redis.query::<i64>(cmd("TTL").arg(key)).await;
    let day_s = 24 * 3_600;
    assert!((day_s - 60..=day_s).contains(&ttl_s(&key).await));
    let waiter = tokio::spawn({
        let locks = locks.clone();
        async move {
            locks
                .acquire("l", serde_json::json!({"ttl_ms": 1000, "wait_ms": 30_000}))
                .await
        }
    });
    locks.has_waiting("l", 1).await;
    assert!((1..=60).contains(&ttl_s(&queue).await));
    locks.release("l", &token).await;
    assert_eq!(waiter.await.unwrap().status, 201);
    assert_eq!(ttl_s(&queue).await, -2, "an empty queue does not exist");
    assert!((day_s - 60..=day_s).contains(&ttl_s(&key).await));
}
