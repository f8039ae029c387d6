//! Redis is unavailable, frozen or killed.

use super::*;
use crate::support::eventually;
use std::time::Instant;
use tokio::time::{sleep, timeout};

/// A short timeout, so that an unavailable Redis is detected soon.
const NOTICE: &str = "--redis-timeout=300";
const TOKEN: &str = "AAAAAAAAAAAAAAAA";

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.assert_problem(503, &[]);
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

/// Every call.
async fn all_calls(api: &JobApi) -> Vec<Answer> {
    let mut answers = Vec::new();
    let job = "/v1/jobs/q.AAAAAAAAAAAAA";
    for (path, body) in [
        ("/v1/queues/q/jobs".to_owned(), body!({"type": "a"})),
        ("/v1/queues/q/lease".to_owned(), body!({})),
        ("/v1/queues/q/lease".to_owned(), body!({"wait_ms": 10_000})),
        (
            "/v1/queues/q/settle".to_owned(),
            body!({"jobs": [], "lease_next": {"wait_ms": 10_000}}),
        ),
        ("/v1/queues/q/pause".to_owned(), body!({})),
        ("/v1/queues/q/resume".to_owned(), body!({})),
        ("/v1/queues/q/redrive".to_owned(), body!({})),
        (format!("{job}/complete"), body!({"token": TOKEN})),
        (format!("{job}/fail"), body!({"token": TOKEN, "error": "x"})),
        (format!("{job}/extend"), body!({"token": TOKEN, "lease_ms": 1_000})),
        (format!("{job}/progress"), body!({"token": TOKEN, "progress": 1})),
        (format!("{job}/retry"), body!({})),
    ] {
        answers.push(api.post(&path, body).await);
    }
    for path in [
        "/v1/queues",
        "/v1/queues/q",
        "/v1/queues/q/jobs?state=dead",
        "/v1/queues/q/events?wait_ms=10000",
        job,
    ] {
        answers.push(api.get(path).await);
    }
    for path in ["/v1/queues/q/dead", "/v1/queues/q/unique/k", job] {
        answers.push(api.delete(path).await);
    }
    answers
}

#[actix_web::test]
async fn without_redis_calls_fail_at_once_with_503_and_no_job_is_lost() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ids = api
        .add(
            "q",
            body!([{"type": "a"}, {"type": "a"}, {"type": "a", "delay_ms": 60_000}]),
        )
        .await;
    let leased = api.lease("q", body!({"lease_ms": 60_000})).await;
    scene.redis.kill();
    let asked = Instant::now();
    for answer in all_calls(&api).await {
        assert_unavailable(&answer);
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    scene.redis.restart().await;
    let done = eventually(SOON, "Redis is found again", async || {
        let path = format!("/v1/jobs/{}/complete", ids[0]);
        let done = api.post(&path, body!({"token": leased[0]["token"]})).await;
        (done.status != 503).then_some(done)
    })
    .await;
    assert_eq!(done.body, body!({"state": "done"}));
    let next = eventually(SOON, "both workers have found it", async || {
        let next = api.post("/v1/queues/q/lease", body!({"count": 9})).await;
        (next.status != 503).then_some(next)
    })
    .await;
    assert_eq!(ids_of(next.body["jobs"].as_array().unwrap()), [&ids[1]]);
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn a_frozen_redis_is_a_503_after_its_timeout() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    api.add("q", body!([{"type": "a"}, {"type": "a"}])).await;
    scene.redis.freeze();
    let asked = Instant::now();
    for answer in all_calls(&api).await {
        assert_unavailable(&answer);
    }
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    scene.redis.thaw();
    eventually(SOON, "it continues", async || {
        (api.get("/v1/queues/q").await.status == 200).then_some(())
    })
    .await;
    Books::read(&scene, &id_of("q")).await.balance();
}

#[actix_web::test]
async fn waiting_requests_survive_an_outage_of_redis() {
    let mut scene = Scene::on(Redis::forgetful().await).with(&[NOTICE]);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let waiting = api.clone();
    let waiter = tokio::spawn(async move { waiting.post("/v1/queues/q/lease", body!({"wait_ms": 60_000})).await });
    sleep(Duration::from_millis(200)).await;
    scene.redis.kill();
    // It detects the loss at its next call at the latest.
    assert_unavailable(&waiter.await.unwrap());
    scene.redis.restart().await;
    let waiting = eventually(SOON, "one can wait again", async || {
        let api = api.clone();
        let mut waiter = tokio::spawn(async move { api.post("/v1/queues/q/lease", body!({"wait_ms": 60_000})).await });
        let soon = timeout(Duration::from_millis(300), &mut waiter).await;
        soon.is_err().then_some(waiter)
    })
    .await;
    eventually(SOON, "both workers have found it", async || {
        (api.post("/v1/queues/q/jobs", body!({"type": "a"})).await.status == 201).then_some(())
    })
    .await;
    assert_eq!(waiting.await.unwrap().body["jobs"].as_array().unwrap().len(), 1);
}
