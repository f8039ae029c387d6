//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::{POLICIES, SLOW, allowed, check, key};
use crate::support::{Redis, Scene, Service, ServiceProcess, eventually};
use redis::cmd;
use reqwest::Method;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// `INCR` and `EXPIRE` at every call restarted the window each time, so a caller that kept trying was never admitted again.
#[actix_web::test]
async fn repeated_checks_do_not_extend_the_window() {
    let scene = Scene::new()
        .await
        .with(&["--limits=even=gcra:1/300ms; sliding=window:1/300ms"]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, algorithm) in POLICIES {
        assert!(allowed(&api, policy, "k").await);
        let begun = Instant::now();
        let name = key(&scene, algorithm, policy, "k");
        let ends: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&name)).await;
        let mut refused = 0;
        while !allowed(&api, policy, "k").await {
            refused += 1;
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{policy}: it is never admitted again"
            );
            let still: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&name)).await;
            assert!(still == ends || still < 0, "{policy}: a refusal changed the end");
        }
        assert!(refused > 5, "{policy}: it was asked all the time ({refused})");
        assert!(begun.elapsed() >= Duration::from_millis(290), "{policy}");
    }
}

/// A key that was made without its end, by a crash between `INCR` and `EXPIRE`, limited forever.
#[actix_web::test]
async fn every_count_expires() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, algorithm) in POLICIES {
        for _ in 0..4 {
            check(&api, policy, "k", 1).await;
            let name = key(&scene, algorithm, policy, "k");
            let lives_ms: i64 = scene.redis.query(cmd("PTTL").arg(name)).await;
            assert!((1..=3_800_000).contains(&lives_ms), "{policy}: {lives_ms}");
        }
    }
}

/// A client of another version made the count `NaN`, which is below every limit: nothing was ever limited.
#[actix_web::test]
async fn an_invalid_count_limits_and_then_expires() {
    let scene = Scene::new()
        .await
        .with(&["--limits=even=gcra:10/1h,burst=3; sliding=window:3/1h"]);
    let mut command = ServiceProcess::command(&scene.args());
    command.stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    let api = service.drivers();
    api.ready().await;
    let mut n = 0;
    for (policy, algorithm) in POLICIES {
        for garbage in [
            "NaN",
            "nan",
            "inf",
            "-inf",
            "-1",
            "1e300",
            "0x10",
            "",
            " ",
            "null",
            "{}",
            "12:",
            ":",
            "1:2",
            "1:2,x",
            "99999999999999999999999999",
            "1:99999999999999999999999999,",
            "\u{0}",
            "\u{fffd}",
            &"x".repeat(100),
        ] {
            n += 1;
            let name = format!("k{n}");
            let stored = key(&scene, algorithm, policy, &name);
            scene.redis.query::<()>(cmd("SET").arg(&stored).arg(garbage)).await;
            let answer = check(&api, policy, &name, 1).await;
            assert_eq!(answer["allowed"], false, "{policy}: {garbage:?}: {answer}");
            assert_eq!(answer["remaining"], 0, "{policy}: {garbage:?}");
            let lives_ms: i64 = scene.redis.query(cmd("PTTL").arg(&stored)).await;
            assert!(
                (1..=3_800_000).contains(&lives_ms),
                "{policy}: {garbage:?} ends: {lives_ms}"
            );
        }
        // A key of another type does not disable the limit either.
        for (verb, member) in [("SADD", "x"), ("RPUSH", "x")] {
            n += 1;
            let name = format!("k{n}");
            let stored = key(&scene, algorithm, policy, &name);
            scene.redis.query::<()>(cmd(verb).arg(&stored).arg(member)).await;
            assert_eq!(
                check(&api, policy, &name, 1).await["allowed"],
                false,
                "{policy}: {verb}"
            );
            assert_eq!(
                check(&api, policy, &name, 1).await["allowed"],
                false,
                "{policy}: {verb}"
            );
        }
    }
    let log = eventually(Duration::from_secs(5), "it is logged", async || {
        Some(service.output()).filter(|said| said.contains("ERROR"))
    })
    .await;
    assert!(log.contains("is not a count"), "{log}");
}

/// The same for the shared counts of this service's own callers.
#[actix_web::test]
async fn an_invalid_count_of_a_caller_limits_and_is_logged() {
    let limits = ["--limits=api=gcra:10/1h,burst=3", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let name = scene.keys().limit_requests("api", "127.0.0.1");
    scene.redis.query::<()>(cmd("SET").arg(&name).arg("NaN")).await;
    let mut command = ServiceProcess::command(&scene.args());
    command.stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    let api = service.drivers();
    api.ready().await;
    let nearby = "/v1/drivers/nearby?lat=1&lon=1";
    assert_eq!(
        api.get(nearby).await.status,
        200,
        "it has not read the shared count yet"
    );
    let soon = Duration::from_secs(5);
    eventually(soon, "the burst is spent", async || {
        (api.get(nearby).await.status == 429).then_some(())
    })
    .await;
    eventually(soon, "it is logged", async || {
        let said = service.output();
        (said.contains("ERROR") && said.contains("is not a count")).then_some(())
    })
    .await;
}

/// A clock that was set back, or a stricter policy, leaves times that are too far ahead: they count as a spent quota from now.
#[actix_web::test]
async fn a_time_in_the_future_limits_no_longer_than_a_used_up_quota() {
    let scene = Scene::new()
        .await
        .with(&["--limits=even=gcra:10/500ms,burst=3; sliding=window:3/200ms"]);
    let service = scene.start().await;
    let api = service.drivers();
    let ahead_us = 9_000_000_000_000_000_u64;
    let slices = [vec![0, 0, 0, 3], vec![0; 80]].concat();
    let window = [&10_000_u64.to_be_bytes()[..], &ahead_us.to_be_bytes(), &slices].concat();
    for (policy, algorithm, value) in [
        ("even", "gcra", ahead_us.to_string().into_bytes()),
        ("sliding", "window", window),
    ] {
        let name = key(&scene, algorithm, policy, "k");
        scene.redis.query::<()>(cmd("SET").arg(name).arg(value)).await;
        let refused = check(&api, policy, "k", 1).await;
        assert_eq!(refused["allowed"], false, "{policy}");
        let wait = refused["retry_after_ms"].as_u64().unwrap();
        assert!(wait <= 211, "{policy}: {wait}");
        sleep(Duration::from_millis(wait)).await;
        assert!(allowed(&api, policy, "k").await, "{policy}");
    }
}

/// The address was the value of `X-Forwarded-For`: a client with a new one in each request was never limited.
#[actix_web::test]
async fn a_spoofed_address_does_not_get_past_the_limit() {
    let limits = ["--limits=api=gcra:10/1h,burst=3", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let service = scene.start().await;
    let mut admitted = 0;
    for n in 0..10 {
        let request = service.drivers().request(Method::GET, "/v1/drivers/nearby?lat=1&lon=1");
        let request = request.header("x-forwarded-for", format!("198.51.100.{n}"));
        let request = request.header("forwarded", format!("for=198.51.100.{n}"));
        let request = request.header("x-api-key", format!("key-{n}"));
        admitted += usize::from(request.send().await.unwrap().status() == 200);
    }
    assert_eq!(admitted, 3);
}

/// An error of Redis admitted every call.
#[actix_web::test]
async fn an_error_of_redis_is_admitted_only_if_the_policy_fails_open() {
    let scene = Scene::on(Redis::durable().await).with(&[SLOW]);
    let service: Service = scene.start().await;
    let api = service.drivers();
    // Redis is available, but has no memory left and refuses writes.
    let set = |bytes: &'static str| cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    scene.redis.query::<()>(&set("1")).await;
    let (open, closed) = (check(&api, "even", "k", 1).await, check(&api, "sliding", "k", 1).await);
    assert_eq!((&open["allowed"], &open["degraded"]), (&true.into(), &true.into()));
    assert_eq!((&closed["allowed"], &closed["degraded"]), (&false.into(), &true.into()));
    scene.redis.query::<()>(&set("0")).await;
    let counted = check(&api, "sliding", "k", 1).await;
    assert_eq!((&counted["allowed"], &counted["remaining"]), (&true.into(), &2.into()));
}
