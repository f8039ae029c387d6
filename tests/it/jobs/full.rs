//! Full queues: what is refused, exactly how much is accepted, and what frees space.

use super::*;
use crate::support::eventually;
use fleetpulse::jobs::{JobsError, Retry, State};
use futures_util::future::join_all;

/// A job with a payload of this size.
fn large(bytes: usize) -> NewJob {
    NewJob::new("large", json(&format!("\"{}\"", "x".repeat(bytes - 2))))
}

#[actix_web::test]
async fn the_number_of_waiting_jobs_is_limited_under_concurrency() {
    let (scene, queue) = (Scene::new().await, id_of("full"));
    let settings = JobSettings {
        waiting: 50,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let adds = (0..20).map(|_| jobs.add(&queue, (0..7).map(job).collect()));
    let added = join_all(adds).await;
    let refused = added.iter().filter_map(|added| added.as_ref().err());
    assert!(
        refused
            .into_iter()
            .all(|error| matches!(error, JobsError::TooManyWaiting)),
        "{added:?}"
    );
    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 7, "7 times 7 of 50");
    jobs.add(&queue, vec![job(0)]).await.unwrap();
    jobs.add(&queue, vec![job(0)]).await.unwrap_err();

    // Leased jobs count until they end.
    let leased = jobs.lease(&queue, &up_to(10)).await.unwrap();
    jobs.add(&queue, vec![job(0)]).await.unwrap_err();
    let ends = leased.iter().map(completed).collect();
    jobs.settle(&queue, ends, None).await.unwrap();
    jobs.add(&queue, (0..10).map(job).collect()).await.unwrap();
    jobs.add(&queue, vec![job(0)]).await.unwrap_err();
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn a_queue_is_limited_in_bytes_and_done_jobs_are_deleted_first() {
    let (scene, queue) = (Scene::new().await, id_of("full"));
    let settings = JobSettings {
        bytes: 1 << 20,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let mut taken = 0;
    let refused = loop {
        match jobs.add(&queue, vec![large(60_000)]).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, JobsError::TooManyBytes), "{refused:?}");
    assert_eq!(taken, (1 << 20) / 60_700);
    Books::read(&scene, &queue).await.balance();

    // With long results they hold more bytes than may be added; they are kept until other jobs need the space.
    let leased = jobs.lease(&queue, &up_to(taken)).await.unwrap();
    let result = Some(json(&format!("\"{}\"", "y".repeat(60_000))));
    let ends = leased
        .iter()
        .map(|one| ended(one, End::Complete { result: result.clone() }))
        .collect();
    jobs.settle(&queue, ends, None).await.unwrap();
    let books = Books::read(&scene, &queue).await;
    books.balance();
    let done = books.count("done");
    for n in 1..=taken {
        jobs.add(&queue, vec![large(60_000)]).await.unwrap();
        Books::read(&scene, &queue).await.balance();
        assert_eq!(
            jobs.counts(&queue).await.unwrap().of(State::Ready),
            u64::try_from(n).unwrap()
        );
    }
    assert!(Books::read(&scene, &queue).await.count("done") < done || done == 0);
    jobs.add(&queue, vec![large(60_000)]).await.unwrap_err();
    // Short jobs count as well.
    jobs.add(&queue, (0..500).map(job).collect()).await.unwrap_err();
    // Cancelled jobs free their space at once.
    jobs.drain(&queue, State::Ready, 1_000).await.unwrap();
    jobs.add(&queue, (0..500).map(job).collect()).await.unwrap();
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn dead_jobs_are_retried_only_within_the_limits() {
    let (scene, queue) = (Scene::new().await, id_of("full"));
    let settings = JobSettings {
        waiting: 5,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    jobs.add(&queue, (0..5).map(job).collect()).await.unwrap();
    let leased = jobs.lease(&queue, &up_to(5)).await.unwrap();
    let dies = End::Fail {
        error: "no".to_owned(),
        retry: Retry::Never,
    };
    let ends = leased.iter().map(|one| ended(one, dies.clone())).collect();
    jobs.settle(&queue, ends, None).await.unwrap();
    jobs.add(&queue, (0..3).map(job).collect()).await.unwrap();
    assert_eq!(jobs.redrive(&queue, 100).await.unwrap(), (2, 3));
    let full = jobs.redrive(&queue, 100).await;
    assert!(matches!(full, Err(JobsError::TooManyWaiting)), "{full:?}");
    // It does not matter here which of them were restored.
    let one_in = async |state| jobs.list(&queue, state, None, 1).await.unwrap().0.remove(0).id;
    let (ready, dead) = (one_in(State::Ready).await, one_in(State::Dead).await);
    let full = jobs.retry(&dead).await;
    assert!(matches!(full, Err(JobsError::TooManyWaiting)), "{full:?}");
    jobs.cancel(&ready).await.unwrap();
    jobs.retry(&dead).await.unwrap();
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn schedules_count_towards_the_limits_and_fire_only_within_them() {
    let scene = Scene::new().await.with(&["--job-bytes=200kb", "--job-waiting=3"]);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let put = async |name: &str, bytes: usize| {
        let job = body!({"type": "a", "payload": "x".repeat(bytes)});
        let schedule = body!({"every_ms": 1_000, "overlap": true, "job": job});
        send(
            api.0
                .request(Method::PUT, &format!("/v1/queues/full/schedules/{name}"))
                .json(&schedule),
        )
        .await
    };
    let mut taken = 0;
    let refused = loop {
        let answer = put(&format!("s-{taken}"), 30_000).await;
        if answer.status != 200 && answer.status != 201 {
            break answer;
        }
        taken += 1;
    };
    refused.assert_problem(429, &[]);
    assert_eq!(
        refused.body["type"].as_str().unwrap().rsplit(['/', ':']).next(),
        Some("queue_full")
    );
    assert!(
        refused.body["detail"].as_str().unwrap().contains("JOBS_MAX_BYTES"),
        "{refused:?}"
    );
    assert!(refused.retry_after.is_some());
    assert!((3..7).contains(&taken), "{taken}");
    // They fire as long as there is space, and skipped firings are counted.
    eventually(SOON, "firings are left out", async || {
        let queue = api.get("/v1/queues/full").await.body;
        (queue["totals"]["skipped"].as_u64() > Some(3)).then_some(())
    })
    .await;
    let queue = id_of("full");
    let books = Books::read(&scene, &queue).await;
    assert!(books.count("ready") <= 3, "{books:?}");
    // Without them there is space again.
    for n in 0..taken {
        let answer = api.delete(&format!("/v1/queues/full/schedules/s-{n}")).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    Books::read(&scene, &queue).await.balance();
    let answer = put("again", 30_000).await;
    assert!([200, 201].contains(&answer.status), "{answer:?}");
}

#[actix_web::test]
async fn all_queues_together_are_bounded() {
    let scene = Scene::new().await.with(&["--job-waiting=10"]);
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let ten: Vec<Value> = (0..10).map(|n| body!({"type": "a", "payload": n})).collect();
    api.add("first", body!(ten)).await;
    // A unique key has one job, however often it is enqueued.
    let one = body!({"type": "a", "unique_key": "k"});
    let refused = eventually(SOON, "the other queue is full too", async || {
        let answer = api.post("/v1/queues/second/jobs", one.clone()).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    refused.assert_problem(429, &[]);
    assert!(
        refused.body["detail"].as_str().unwrap().contains("JOBS_MAX_WAITING"),
        "{refused:?}"
    );
    let leased = api.lease("first", body!({"count": 10})).await;
    for job in &leased {
        api.complete(job).await;
    }
    eventually(SOON, "there is room again", async || {
        let answer = api.post("/v1/queues/second/jobs", one.clone()).await;
        (answer.status != 429).then_some(())
    })
    .await;
}
