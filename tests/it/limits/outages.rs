//! Redis is unavailable or frozen.

use super::{SLOW, check, reset};
use crate::support::{Redis, Scene, ServiceProcess, eventually};
use reqwest::Method;
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

#[actix_web::test]
async fn a_check_without_redis_is_decided_by_the_fail_of_the_policy() {
    let mut scene = Scene::on(Redis::durable().await).with(&[SLOW, "--redis-timeout=300"]);
    let service = scene.start().await;
    let api = service.drivers();
    check(&api, "even", "k", 1).await;
    check(&api, "sliding", "k", 1).await;
    scene.redis.kill();
    for _ in 0..5 {
        let open = check(&api, "even", "k", 1).await;
        assert_eq!(
            (&open["allowed"], &open["degraded"], &open["retry_after_ms"]),
            (&json!(true), &json!(true), &json!(0))
        );
        let closed = check(&api, "sliding", "k", 1).await;
        assert_eq!((&closed["allowed"], &closed["degraded"]), (&json!(false), &json!(true)));
        assert!(closed["retry_after_ms"].as_u64().unwrap() > 0);
    }
    let refused = reset(&api, "sliding", "k").await;
    refused.assert_problem(503, &[]);
    assert!(refused.retry_after.is_some());
    let metrics = api.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = "fleetpulse_limit_checks_total{outcome=\"degraded\",policy=\"sliding\"} 5";
    assert!(metrics.contains(line), "{metrics}");

    // Checks without Redis are not counted; earlier counts still exist.
    scene.redis.restart().await;
    for policy in ["even", "sliding"] {
        let answer = eventually(SOON, "Redis decides again", async || {
            let answer = check(&api, policy, "k", 1).await;
            answer["degraded"].is_null().then_some(answer)
        })
        .await;
        assert_eq!(
            (&answer["allowed"], &answer["remaining"]),
            (&json!(true), &json!(1)),
            "{policy}"
        );
    }
}

#[actix_web::test]
async fn checks_without_redis_are_logged_once() {
    let scene = Scene::on(Redis::durable().await).with(&[SLOW, "--redis-timeout=300", "--workers=1"]);
    let mut command = ServiceProcess::command(&scene.args());
    command.stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    let api = service.drivers();
    api.ready().await;
    scene.redis.kill();
    for _ in 0..20 {
        assert_eq!(check(&api, "sliding", "k", 1).await["degraded"], true);
    }
    let warned = || service.output().matches("checks are decided without Redis").count();
    eventually(SOON, "it is logged", async || (warned() > 0).then_some(())).await;
    assert_eq!(warned(), 1);
}

#[actix_web::test]
async fn a_frozen_redis_delays_one_check_by_its_timeout_and_then_none() {
    let scene = Scene::on(Redis::durable().await).with(&[SLOW, "--redis-timeout=200", "--workers=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    check(&api, "sliding", "k", 1).await;
    scene.redis.freeze();
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(check(&api, "sliding", "k", 1).await["degraded"], true);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    scene.redis.thaw();
    // Calls in progress may have been counted: then less is left, never more.
    let answer = eventually(SOON, "Redis decides again", async || {
        let answer = check(&api, "sliding", "other", 1).await;
        answer["degraded"].is_null().then_some(answer)
    })
    .await;
    assert_eq!(answer["allowed"], true);
    let left = check(&api, "sliding", "k", 1).await["remaining"].as_u64().unwrap();
    assert!(left <= 1, "{left}");
}

#[actix_web::test]
async fn the_limits_on_requests_work_without_redis() {
    let limits = [
        "--limits=api=gcra:10/1h,burst=3,fail=closed",
        "--limit-requests=/v1=api",
    ];
    let scene = Scene::on(Redis::durable().await).with(&limits);
    let service = scene.start().await;
    scene.redis.kill();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(service.drivers().get("/v1/drivers/nearby?lat=1&lon=1").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[actix_web::test]
async fn invalid_settings_refuse_to_start() {
    for (flag, why) in [
        ("--limits=login=window:0/1m", "a quota is 1 to 1000000"),
        ("--limits=login", "has no ="),
        ("--limit-requests=/v1=unknown", "does not have: unknown"),
        ("--limit-requests=/v1=login", "takes only gcra policies"),
        ("--limit-requests=v1=api", "a prefix begins with /"),
        ("--trusted-proxies=10.0.0.0/33", "is not a network"),
    ] {
        let scene = Scene::new().await.with(&[flag]);
        let refused = ServiceProcess::refusal(&scene.args()).await;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(why), "{flag}: {said}");
    }
}
