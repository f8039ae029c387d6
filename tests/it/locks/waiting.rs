//! Waiting: by wake-up, first come first served over all instances, and never behind a request that no longer waits.

use super::{LockApi, SOON, embedded, granted, name};
use crate::support::{Answer, Raw, Redis, Scene, eventually};
use fleetpulse::locks::{LockError, Wanted};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A request that waits for the lock `l`, in the background.
fn wait(locks: &LockApi, owner: &str, wait_ms: u64) -> JoinHandle<Answer> {
    let (locks, owner) = (locks.clone(), owner.to_owned());
    tokio::spawn(async move {
        let body = json!({"ttl_ms": 30_000, "wait_ms": wait_ms, "owner": owner});
        locks.acquire("l", body).await
    })
}

#[actix_web::test]
async fn a_waiting_request_gets_the_lock_as_soon_as_it_is_released() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (LockApi::of(&one), LockApi::of(&other));
    for (holding, waiting) in [(&one, &other), (&one, &one)] {
        let (token, fence) = holding.grant("l", 30_000).await;
        let waiter = wait(waiting, "w", 20_000);
        holding.has_waiting("l", 1).await;
        let released = Instant::now();
        assert_eq!(holding.release("l", &token).await.status, 204);
        let (token, next) = granted(&waiter.await.unwrap());
        // At once, and not at the end of a lease; the bound allows for a busy machine.
        assert!(released.elapsed() < Duration::from_secs(5), "{:?}", released.elapsed());
        assert!(next > fence);
        waiting.release("l", &token).await;
    }
}

#[actix_web::test]
async fn waiting_requests_of_all_instances_are_served_in_order() {
    let scene = Scene::new().await;
    let instances = [scene.start().await, scene.start().await];
    let instances = instances.each_ref().map(LockApi::of);
    let (mut token, _) = instances[0].grant("l", 30_000).await;
    let mut waiters = Vec::new();
    for number in 0..12_u64 {
        // Not in the order of the instances.
        let instance = &instances[usize::from(number % 3 == 0)];
        waiters.push(wait(instance, &format!("w{number}"), 30_000));
        instances[0].has_waiting("l", number + 1).await;
    }
    let mut last_fence = 0;
    for (number, waiter) in waiters.into_iter().enumerate() {
        instances[number % 2].release("l", &token).await;
        let (next, fence) = granted(&waiter.await.unwrap());
        assert_eq!(instances[0].look("l").await.body["owner"], format!("w{number}"));
        assert!(fence > last_fence);
        (token, last_fence) = (next, fence);
    }
}

#[actix_web::test]
async fn requests_from_before_the_clock_was_set_back_are_served_first() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (mut token, _) = locks.grant("l", 30_000).await;
    let mut waiters = vec![wait(&locks, "w0", 30_000)];
    locks.has_waiting("l", 1).await;
    // A request that arrives later, by a clock that was set back.
    let queue = scene.keys().lock_queue(&name("l"));
    let first: Vec<String> = scene.redis.query(cmd("ZRANGE").arg(&queue).arg(0).arg(0)).await;
    let mut ahead = cmd("ZINCRBY");
    ahead.arg(&queue).arg(5_000_000).arg(first);
    scene.redis.query::<()>(&ahead).await;
    for number in 1..4 {
        waiters.push(wait(&locks, &format!("w{number}"), 30_000));
        locks.has_waiting("l", number + 1).await;
    }
    for (number, waiter) in waiters.into_iter().enumerate() {
        locks.release("l", &token).await;
        token = granted(&waiter.await.unwrap()).0;
        assert_eq!(locks.look("l").await.body["owner"], format!("w{number}"));
    }
}

#[actix_web::test]
async fn no_new_request_overtakes_waiting_ones() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let patient = embedded(&scene).await;
    let (token, _) = locks.grant("l", 30_000).await;
    let l = name("l");
    let wanted = Wanted::lasting(Duration::from_secs(30)).waiting(Duration::from_secs(30));
    let waiter = tokio::spawn(async move { patient.grant(&l, &wanted).await });
    locks.has_waiting("l", 1).await;
    // Released and requested on one connection: the release has already offered it to the waiting request.
    let mut raw = Raw::connect(&service.url()).await;
    let release = format!("{{\"token\":\"{token}\"}}");
    let acquire = "{\"ttl_ms\":1000}";
    raw.send(format!(
        "DELETE /v1/locks/l HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{release}\
         POST /v1/locks/l HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{acquire}",
        release.len(),
        acquire.len(),
    ))
    .await;
    let answers = raw.rest().await;
    assert!(answers.starts_with("HTTP/1.1 204 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 409 "), "{answers}");
    waiter.await.unwrap().unwrap();
}

#[actix_web::test]
async fn a_wait_that_times_out_is_answered_and_leaves_the_queue() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (_, fence) = locks.grant("l", 30_000).await;
    let asked = Instant::now();
    let answer = wait(&locks, "w", 150).await.unwrap();
    answer.assert_problem(504, &[]);
    assert_eq!(answer.body["fence"], fence);
    assert!(answer.body["expires_at"].is_string());
    assert!(asked.elapsed() >= Duration::from_millis(150));
    locks.has_waiting("l", 0).await;
}

#[actix_web::test]
async fn an_expired_lease_goes_to_the_waiting_request() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (LockApi::of(&one), LockApi::of(&other));
    one.grant("l", 300).await;
    let waiter = wait(&other, "w", 20_000);
    let asked = Instant::now();
    granted(&waiter.await.unwrap());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[actix_web::test]
async fn every_instance_is_notified_that_the_end_of_the_lease_has_changed() {
    let scene = Scene::new().await;
    let holding = embedded(&scene).await;
    let instances = [
        embedded(&scene).await,
        embedded(&scene).await,
        embedded(&scene).await,
        embedded(&scene).await,
    ];
    let l = name("l");
    let long = Wanted::lasting(Duration::from_mins(10));
    let held = holding.grant(&l, &long).await.unwrap();
    let mut waiters = Vec::new();
    for (number, locks) in (1..).zip(instances) {
        let mine = l.clone();
        let wanted = Wanted::lasting(Duration::from_millis(100)).waiting(Duration::from_mins(1));
        // Each acquires it in turn and disconnects without a release.
        waiters.push(tokio::spawn(async move { locks.grant(&mine, &wanted).await }));
        eventually(SOON, "it waits", async || {
            (holding.inspect(&l).await.unwrap().1 == number).then_some(())
        })
        .await;
    }
    holding.release(&l, &held.token).await.unwrap();
    for waiter in waiters {
        timeout(SOON, waiter)
            .await
            .expect("it acquires the lock")
            .unwrap()
            .unwrap();
    }
}

#[actix_web::test]
async fn a_client_that_disconnects_while_it_waits_leaves_the_queue() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (token, _) = locks.grant("l", 30_000).await;
    let gone = wait(&locks, "gone", 30_000);
    locks.has_waiting("l", 1).await;
    let next = wait(&locks, "next", 30_000);
    locks.has_waiting("l", 2).await;
    gone.abort();
    locks.has_waiting("l", 1).await;
    locks.release("l", &token).await;
    granted(&next.await.unwrap());
    let metrics = locks.0.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("fleetpulse_lock_waiters 0"), "{metrics}");
}

#[actix_web::test]
async fn a_closed_sending_side_is_detected_even_after_unread_requests() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    locks.grant("l", 60_000).await;
    let body = "{\"ttl_ms\":1000,\"wait_ms\":60000}";
    let asking = format!(
        "POST /v1/locks/l HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // More than the 128 KiB that the server reads ahead, and less than the kernel always buffers in addition: after data that it
    // cannot buffer, it does not receive the end of the connection either.
    let next = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4_200);
    for follows in ["", &next] {
        let mut raw = Raw::connect(&service.url()).await;
        raw.send(&asking).await;
        locks.has_waiting("l", 1).await;
        raw.send(follows).await;
        // It continues to wait, regardless of the buffered data.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(locks.look("l").await.body["waiting"], 1);
        raw.close_own_side().await;
        locks.has_waiting("l", 0).await;
    }
    let metrics = locks.0.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("fleetpulse_lock_acquires_total{outcome=\"gone\"} 2"),
        "{metrics}"
    );
}

#[actix_web::test]
async fn waiting_requests_of_a_killed_instance_are_skipped_at_once() {
    let scene = Scene::new().await;
    let (killed, alive) = (scene.start_process().await, scene.start().await);
    let (dead, alive) = (LockApi::of_process(&killed), LockApi::of(&alive));
    let (token, _) = alive.grant("l", 60_000).await;
    let mut gone = Vec::new();
    for number in 0..8 {
        gone.push(tokio::spawn({
            let request = dead.0.request(Method::POST, "/v1/locks/l");
            let request = request.json(&json!({"ttl_ms": 60_000, "wait_ms": 60_000}));
            async move { drop(request.send().await) }
        }));
        alive.has_waiting("l", number + 1).await;
    }
    let next = wait(&alive, "next", 60_000);
    alive.has_waiting("l", 9).await;
    killed.kill().await;
    let released = Instant::now();
    alive.release("l", &token).await;
    granted(&next.await.unwrap());
    // Eight offers that are not accepted would take eight seconds.
    assert!(released.elapsed() < Duration::from_secs(4), "{:?}", released.elapsed());
}

#[actix_web::test]
async fn an_instance_that_does_not_respond_is_skipped_after_a_second() {
    let scene = Scene::new().await;
    let (frozen, alive) = (scene.start_process().await, scene.start().await);
    let (asleep, alive) = (LockApi::of_process(&frozen), LockApi::of(&alive));
    let (token, _) = alive.grant("l", 60_000).await;
    let stuck = wait(&asleep, "stuck", 60_000);
    alive.has_waiting("l", 1).await;
    let next = wait(&alive, "next", 60_000);
    alive.has_waiting("l", 2).await;
    let pid = Pid::from_raw(frozen.pid().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let released = Instant::now();
    alive.release("l", &token).await;
    let (token, _) = granted(&next.await.unwrap());
    assert!(released.elapsed() >= Duration::from_secs(1));
    assert!(released.elapsed() < Duration::from_secs(6), "{:?}", released.elapsed());

    // When it resumes, its offer has expired, and it waits again.
    kill(pid, Signal::SIGCONT).unwrap();
    alive.has_waiting("l", 1).await;
    alive.release("l", &token).await;
    granted(&stuck.await.unwrap());
}

#[actix_web::test]
async fn an_unresponsive_instance_costs_one_second_for_all_its_waiting_requests() {
    let scene = Scene::new().await;
    let (frozen, alive) = (scene.start_process().await, scene.start().await);
    let (asleep, alive) = (LockApi::of_process(&frozen), LockApi::of(&alive));
    let (token, _) = alive.grant("l", 60_000).await;
    let mut stuck = Vec::new();
    for number in 0..8 {
        let asleep = asleep.clone();
        stuck.push(tokio::spawn(async move {
            asleep.acquire("l", json!({"ttl_ms": 100, "wait_ms": 60_000})).await
        }));
        alive.has_waiting("l", number + 1).await;
    }
    let next = wait(&alive, "next", 60_000);
    alive.has_waiting("l", 9).await;
    let pid = Pid::from_raw(frozen.pid().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let released = Instant::now();
    alive.release("l", &token).await;
    let (token, _) = granted(&next.await.unwrap());
    assert!(released.elapsed() < Duration::from_secs(5), "{:?}", released.elapsed());

    // The requests that were moved behind it get the lock when it resumes.
    kill(pid, Signal::SIGCONT).unwrap();
    alive.release("l", &token).await;
    for waiter in stuck {
        granted(&waiter.await.unwrap());
    }
}

#[actix_web::test]
async fn a_stopping_instance_answers_waiting_requests_with_a_retry() {
    let scene = Scene::new().await.with(&["--drain=20"]);
    let (stopped, alive) = (scene.start_process().await, scene.start().await);
    let (there, alive) = (LockApi::of_process(&stopped), LockApi::of(&alive));
    let (token, _) = alive.grant("l", 60_000).await;
    let waiters = [wait(&there, "a", 60_000), wait(&there, "b", 60_000)];
    alive.has_waiting("l", 2).await;
    let requested = Instant::now();
    stopped.request_stop();
    for waiter in waiters {
        let answer = waiter.await.unwrap();
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    // Answered requests are not in the queue any more.
    assert_eq!(alive.look("l").await.body["waiting"], 0);
    assert!(stopped.ended().await.success());
    assert!(
        requested.elapsed() < Duration::from_secs(12),
        "{:?}",
        requested.elapsed()
    );
    assert_eq!(alive.release("l", &token).await.status, 204);
}

#[actix_web::test]
async fn a_full_queue_is_a_503_and_blocks_no_other_request() {
    let scene = Scene::new().await.with(&["--lock-waiters=2"]);
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (token, _) = locks.grant("l", 30_000).await;
    let waiters = [wait(&locks, "a", 30_000), wait(&locks, "b", 30_000)];
    locks.has_waiting("l", 2).await;
    let refused = wait(&locks, "c", 30_000).await.unwrap();
    refused.assert_problem(503, &[]);
    assert!(refused.retry_after.is_some());
    // For another name the same number may wait.
    locks.grant("other", 30_000).await;
    let other = locks.acquire("other", json!({"ttl_ms": 1000, "wait_ms": 100})).await;
    other.assert_problem(504, &[]);
    // A request that does not wait does not get an error about the queue.
    locks
        .acquire("l", json!({"ttl_ms": 1000}))
        .await
        .assert_problem(409, &[]);
    // Both requests that arrived in time are served.
    let [a, b] = waiters;
    locks.release("l", &token).await;
    let release = async |waiter: JoinHandle<Answer>| {
        let (token, _) = granted(&waiter.await.unwrap());
        assert_eq!(locks.release("l", &token).await.status, 204);
    };
    tokio::join!(release(a), release(b));
}

#[actix_web::test]
async fn waiting_uses_no_connection_and_does_not_poll() {
    let scene = Scene::on(Redis::durable().await);
    let locks = embedded(&scene).await;
    let l = name("l");
    let held = locks
        .grant(&l, &Wanted::lasting(Duration::from_secs(30)))
        .await
        .unwrap();
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let (locks, l) = (locks.clone(), l.clone());
            tokio::spawn(async move {
                let wanted = Wanted::lasting(Duration::from_secs(30)).waiting(Duration::from_millis(1_500));
                locks.grant(&l, &wanted).await
            })
        })
        .collect();
    eventually(SOON, "all wait", async || {
        (locks.inspect(&l).await.unwrap().1 == 50).then_some(())
    })
    .await;
    let info = async || -> String { scene.redis.query(cmd("INFO").arg("everything")).await };
    let count = |info: &str, line: &str| -> u64 {
        let line = info
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .unwrap_or("calls=0,");
        let digits = line.trim_start_matches("calls=");
        digits.split([',', '\r']).next().unwrap().trim().parse().unwrap()
    };
    let before = info().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let after = info().await;
    for calls in ["cmdstat_evalsha:", "cmdstat_eval:"] {
        assert_eq!(count(&after, calls), count(&before, calls), "a request polls");
    }
    // The connection, the subscription, and the connection of this test.
    assert!(count(&after, "connected_clients:") <= 4, "{after}");
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap(), Err(LockError::TimedOut(Some(_)))));
    }
    locks.release(&l, &held.token).await.unwrap();
}
