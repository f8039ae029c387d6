//! Waiting for jobs: by wake-up, first come first served, and no job leased for a disconnected client.

use super::*;
use crate::support::{Raw, eventually};
use fleetpulse::jobs::{RunAt, State};
use std::time::Instant;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

fn waiting(jobs: &Jobs, queue: &Id, kinds: &[&str]) -> JoinHandle<Vec<Leased>> {
    let (jobs, queue) = (jobs.clone(), queue.clone());
    let request = LeaseRequest {
        wait: SOON,
        kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
        ..up_to(1)
    };
    tokio::spawn(async move { jobs.lease(&queue, &request).await.unwrap() })
}

/// Lets the started calls run until they wait.
async fn settle_down() {
    sleep(Duration::from_millis(100)).await;
}

#[actix_web::test]
async fn a_waiting_request_gets_a_job_as_soon_as_any_instance_adds_it() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let (one, other) = (embedded(&scene).await, embedded(&scene).await);
    for jobs in [&one, &other] {
        let waiter = waiting(jobs, &queue, &[]);
        settle_down().await;
        let put_in = Instant::now();
        one.add(&queue, vec![job(1)]).await.unwrap();
        assert_eq!(numbers(&waiter.await.unwrap()), [1]);
        assert!(put_in.elapsed() < Duration::from_secs(2), "{:?}", put_in.elapsed());
    }
}

#[actix_web::test]
async fn waiting_requests_of_one_instance_are_served_in_order() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let mut waiters = Vec::new();
    for _ in 0..5 {
        waiters.push(waiting(&jobs, &queue, &[]));
        settle_down().await;
    }
    jobs.add(&queue, (0..3).map(job).collect()).await.unwrap();
    jobs.add(&queue, (3..5).map(job).collect()).await.unwrap();
    for (n, waiter) in waiters.into_iter().enumerate() {
        assert_eq!(numbers(&waiter.await.unwrap()), [n]);
    }
}

#[actix_web::test]
async fn a_waiting_request_for_other_types_blocks_no_other() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    let stuck = waiting(&jobs, &queue, &["other"]);
    settle_down().await;
    let waiter = waiting(&jobs, &queue, &["count"]);
    settle_down().await;
    jobs.add(&queue, vec![job(1)]).await.unwrap();
    assert_eq!(numbers(&waiter.await.unwrap()), [1]);
    let mut other = job(2);
    other.kind = "other".into();
    jobs.add(&queue, vec![other]).await.unwrap();
    assert_eq!(numbers(&stuck.await.unwrap()), [2]);
}

#[actix_web::test]
async fn delayed_jobs_are_leased_within_ten_to_a_hundred_milliseconds_of_their_due_time() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    // The later one first, so that the waiting request must be notified of the earlier one.
    for (n, delay_ms) in [(0, 400), (1, 250), (2, 100)] {
        let waiter = (n == 0).then(|| waiting(&jobs, &queue, &[]));
        let mut one = job(n);
        one.run_at = RunAt::After(Duration::from_millis(delay_ms));
        let added = jobs.add(&queue, vec![one]).await.unwrap();
        if let Some(waiter) = waiter {
            let leased = waiter.await.unwrap();
            let found = jobs.get(&added[0].id).await.unwrap();
            assert_eq!(leased[0].id, added[0].id);
            assert_eq!(found.state, State::Leased);
        }
    }
    let mut late = Vec::new();
    for _ in 0..2 {
        let leased = waiting(&jobs, &queue, &[]).await.unwrap();
        let found = jobs.get(&leased[0].id).await.unwrap();
        late.push(found.leased_ms.unwrap() - found.run_at_ms);
    }
    assert!(late.iter().all(|late| (0..100).contains(late)), "{late:?} ms late");
}

#[actix_web::test]
async fn a_client_that_disconnects_while_it_waits_leases_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let body = r#"{"wait_ms":20000}"#;
    for _ in 0..3 {
        let mut raw = Raw::connect(&service.url()).await;
        let head = format!(
            "POST /v1/queues/q/lease HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        raw.send(head + body).await;
        eventually(SOON, "it waits", async || {
            let metrics = api.0.metrics().await;
            metrics.contains("fleetpulse_job_waiters 1").then_some(())
        })
        .await;
        drop(raw);
        eventually(SOON, "no request waits", async || {
            let metrics = api.0.metrics().await;
            metrics.contains("fleetpulse_job_waiters 0").then_some(())
        })
        .await;
    }
    let ids = api.add("q", body!([{"type": "a"}])).await;
    let leased = api.lease("q", body!({})).await;
    assert_eq!((ids_of(&leased), &leased[0]["attempt"]), (vec![&*ids[0]], &body!(1)));
}

#[actix_web::test]
async fn a_dropped_lease_future_loses_no_job() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let jobs = embedded(&scene).await;
    jobs.add(&queue, (0..50).map(job).collect()).await.unwrap();
    for n in 0..50 {
        let request = up_to(10);
        let leasing = jobs.lease(&queue, &request);
        let _ = timeout(Duration::from_micros(n * 40), leasing).await.map(drop);
    }
    // Delivered jobs are lost with their client; all others are released.
    eventually(SOON, "all of them are back, or were handed on", async || {
        let books = Books::read(&scene, &queue).await;
        books.balance();
        (books.count("ready") + books.count("leased") == 50).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_stopping_service_answers_waiting_requests_without_jobs() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let waiter = tokio::spawn(async move { api.lease("q", body!({"wait_ms": 20_000})).await });
    settle_down().await;
    let stopped = Instant::now();
    spawn_blocking(move || drop(service)).await.unwrap();
    assert!(waiter.await.unwrap().is_empty());
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
}
