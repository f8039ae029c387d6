//! Redis is unavailable, frozen or killed; replies are lost.

use super::{LockApi, SOON, embedded, granted, name};
use crate::support::{Answer, Proxy, Redis, Scene, Service, eventually};
use fleetpulse::locks::Wanted;
use redis::cmd;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// A short timeout, so that an unavailable Redis is detected soon.
const NOTICE: &str = "--redis-timeout=300";
const TOKEN: &str = "0123456789abcdef";

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.assert_problem(503, &[]);
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

/// Every call.
async fn all_calls(locks: &LockApi) -> [Answer; 5] {
    [
        locks.acquire("l", json!({"ttl_ms": 30_000})).await,
        locks.acquire("l", json!({"ttl_ms": 30_000, "wait_ms": 20_000})).await,
        locks.renew("l", json!({"token": TOKEN})).await,
        locks.release("l", TOKEN).await,
        locks.look("l").await,
    ]
}

#[actix_web::test]
async fn an_unavailable_redis_is_a_503_and_not_a_taken_lock() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let held = locks.acquire("l", json!({"ttl_ms": 60_000, "token": TOKEN})).await;
    scene.redis.kill();
    let asked = Instant::now();
    for answer in all_calls(&locks).await {
        assert_unavailable(&answer);
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());

    scene.redis.restart().await;
    // It has not changed: a repeated call gets the same grant, and for others it is taken.
    eventually(SOON, "Redis is found again", async || {
        (locks.look("l").await.status == 200).then_some(())
    })
    .await;
    let again = eventually(SOON, "both workers have found it", async || {
        let again = locks.acquire("l", json!({"ttl_ms": 60_000, "token": TOKEN})).await;
        (again.status != 503).then_some(again)
    })
    .await;
    assert_eq!(granted(&again), granted(&held));
    assert_eq!(locks.look("l").await.body["expires_at"], held.body["expires_at"]);
}

#[actix_web::test]
async fn a_frozen_redis_is_a_503_after_its_timeout() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    locks.look("l").await;
    scene.redis.freeze();
    let asked = Instant::now();
    for answer in all_calls(&locks).await {
        assert_unavailable(&answer);
    }
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    scene.redis.thaw();
    // The request reached Redis, and the reply with the grant was lost: the grant is released long before its lease ends.
    eventually(SOON, "it can be had", async || {
        (locks.acquire("l", json!({"ttl_ms": 30_000})).await.status == 201).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_grant_of_a_frozen_redis_that_comes_too_late_is_released() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    // Redis must have the script already, because the call cannot be repeated with its source.
    locks.grant("other", 1_000).await;
    scene.redis.freeze();
    assert_unavailable(&locks.acquire("l", json!({"ttl_ms": 6_000})).await);
    sleep(Duration::from_millis(6_500)).await;
    scene.redis.thaw();
    let thawed = Instant::now();
    eventually(SOON, "it can be had", async || {
        (locks.acquire("l", json!({"ttl_ms": 1_000})).await.status == 201).then_some(())
    })
    .await;
    // It was granted when Redis resumed, for the requested six seconds.
    assert!(thawed.elapsed() < Duration::from_secs(5), "{:?}", thawed.elapsed());
}

#[actix_web::test]
async fn a_wait_times_out_even_if_redis_does_not_answer() {
    let scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=20000"]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    for is_first in [true, false] {
        // Before the subscription exists, and after it.
        if !is_first {
            let waited = locks.acquire("l", json!({"ttl_ms": 100, "wait_ms": 2_000})).await;
            assert_eq!(waited.status, 201);
        }
        scene.redis.freeze();
        let asked = Instant::now();
        assert_unavailable(&locks.acquire("l", json!({"ttl_ms": 1_000, "wait_ms": 500})).await);
        assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
        scene.redis.thaw();
        locks.is_free("l").await;
    }
}

#[actix_web::test]
async fn waiting_requests_do_not_overload_a_redis_that_refuses_writes() {
    let scene = Scene::on(Redis::durable().await);
    let locks = embedded(&scene).await;
    let mut waiters = Vec::new();
    for number in 0..40 {
        let l = name(&format!("l{number}"));
        locks.grant(&l, &Wanted::lasting(Duration::from_secs(2))).await.unwrap();
        let locks = locks.clone();
        waiters.push(tokio::spawn(async move {
            let wanted = Wanted::lasting(Duration::from_secs(2)).waiting(Duration::from_mins(1));
            locks.grant(&l, &wanted).await
        }));
    }
    let scripts = async || -> u64 {
        let stats: String = scene.redis.query(cmd("INFO").arg("commandstats")).await;
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.unwrap().split(',').next().unwrap().parse().unwrap()
    };
    eventually(SOON, "all wait", async || {
        let mut waiting = 0;
        for number in 0..40 {
            waiting += locks.inspect(&name(&format!("l{number}"))).await.unwrap().1;
        }
        (waiting == 40).then_some(())
    })
    .await;
    let mut demote = cmd("REPLICAOF");
    scene.redis.query::<()>(demote.arg("127.0.0.1").arg(1)).await;
    let before = scripts().await;
    sleep(Duration::from_secs(4)).await;
    // They try when the leases expire, and then periodically.
    let asked = scripts().await - before;
    assert!(asked < 40 * 12, "{asked}");
    let mut promote = cmd("REPLICAOF");
    scene.redis.query::<()>(promote.arg("NO").arg("ONE")).await;
    for waiter in waiters {
        timeout(SOON, waiter).await.expect("it is granted").unwrap().unwrap();
    }
}

#[actix_web::test]
async fn a_grant_whose_reply_was_lost_is_found_by_a_retry() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let (cut_off, other) = (Service::start(&args).await, scene.start().await);
    let (cut_off, other) = (LockApi::of(&cut_off), LockApi::of(&other));
    let body = json!({"ttl_ms": 60_000, "token": TOKEN, "wait_ms": 10_000});
    let (held, _) = other.grant("l", 60_000).await;
    // It waits when its instance is disconnected, and repeats the call on another instance.
    let first = tokio::spawn({
        let (cut_off, body) = (cut_off.clone(), body.clone());
        async move { cut_off.acquire("l", body).await }
    });
    other.has_waiting("l", 1).await;
    proxy.cut();
    let second = tokio::spawn({
        let (other, body) = (other.clone(), body.clone());
        async move { other.acquire("l", body).await }
    });
    other.has_waiting("l", 2).await;
    other.release("l", &held).await;
    let second = granted(&second.await.unwrap());
    proxy.mend();
    let first = granted(&first.await.unwrap());
    assert_eq!(first, second, "one token, one grant");
    // Neither may take it from the other; it is held until it is released.
    assert_eq!(other.look("l").await.body["fence"], second.1);
    assert_eq!(other.release("l", TOKEN).await.status, 204);
    assert_eq!(other.look("l").await.status, 404);
}

#[actix_web::test]
async fn waiting_requests_survive_a_restart_of_redis() {
    let mut scene = Scene::on(Redis::durable().await);
    let locks = embedded(&scene).await;
    let l = name("l");
    let held = locks.grant(&l, &Wanted::lasting(Duration::from_mins(1))).await.unwrap();
    let waiter = tokio::spawn({
        let (locks, l) = (locks.clone(), l.clone());
        let wanted = Wanted::lasting(Duration::from_mins(1)).waiting(Duration::from_secs(30));
        async move { locks.grant(&l, &wanted).await }
    });
    eventually(SOON, "it waits", async || {
        (locks.inspect(&l).await.unwrap().1 == 1).then_some(())
    })
    .await;
    scene.redis.kill();
    scene.redis.restart().await;
    eventually(SOON, "it is released", async || {
        locks.release(&l, &held.token).await.ok()
    })
    .await;
    let next = waiter.await.unwrap().unwrap();
    assert!(next.fence > held.fence);
}

#[actix_web::test]
async fn a_waiting_request_fails_at_the_end_of_its_wait_if_redis_stays_down() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    locks.grant("l", 60_000).await;
    let waiter = tokio::spawn({
        let locks = locks.clone();
        async move { locks.acquire("l", json!({"ttl_ms": 1_000, "wait_ms": 2_000})).await }
    });
    locks.has_waiting("l", 1).await;
    scene.redis.kill();
    assert_unavailable(&waiter.await.unwrap());
}

#[actix_web::test]
async fn a_release_with_a_correct_script_call_releases() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    for _ in 0..3 {
        // A restarted Redis has no scripts.
        scene.redis.query::<()>(cmd("SCRIPT").arg("FLUSH")).await;
        let (token, _) = locks.grant("l", 60_000).await;
        scene.redis.query::<()>(cmd("SCRIPT").arg("FLUSH")).await;
        assert_eq!(locks.release("l", &token).await.status, 204);
        assert_eq!(locks.look("l").await.status, 404);
        let key = scene.keys().lock(&name("l"));
        let holder: Option<String> = scene.redis.query(cmd("HGET").arg(key).arg("token")).await;
        assert_eq!(holder, None);
    }
}

#[actix_web::test]
async fn a_full_redis_allows_renewals_and_releases() {
    let scene = Scene::on(Redis::durable().await);
    let locks = embedded(&scene).await;
    let (l, other) = (name("l"), name("other"));
    let guard = locks
        .acquire(&l, Wanted::lasting(Duration::from_secs(3)))
        .await
        .unwrap();
    let first_end = guard.until();
    let set = |bytes: &'static str| cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    scene.redis.query::<()>(&set("1")).await;
    eventually(SOON, "it is renewed", async || {
        (guard.until() > first_end).then_some(())
    })
    .await;
    let long = locks
        .renew(&l, guard.token(), Some(Duration::from_mins(1)))
        .await
        .unwrap();
    let held = locks.inspect(&l).await.unwrap().0.unwrap();
    assert_eq!(held.expires_at_ms, long.expires_at_ms);
    let forgotten: i64 = scene.redis.query(cmd("PTTL").arg(scene.keys().lock(&l))).await;
    assert!(forgotten > 23 * 3_600_000, "{forgotten}");
    locks
        .grant(&other, &Wanted::lasting(Duration::from_secs(1)))
        .await
        .unwrap_err();
    guard.release().await.unwrap();
    assert!(locks.inspect(&l).await.unwrap().0.is_none());
}
