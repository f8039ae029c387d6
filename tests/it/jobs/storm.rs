//! Many concurrent workers, some of which crash: every added job ends once, and the books balance at all times.

use super::*;
use crate::support::{AbandonedPost, DisconnectingClients};
use fleetpulse::ids::ExternalId;
use fleetpulse::jobs::{JobsError, Retry, RunAt, SettleOutcome, State, Unique, UniqueMode};
use futures_util::future::join_all;
use futures_util::join;
use rand::RngExt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::time::sleep;

const JOBS: usize = 600;
const WORKERS: usize = 6;
/// The duration in which clients disconnect in the middle of their calls.
const DISCONNECTING: Duration = Duration::from_secs(5);

#[actix_web::test]
async fn every_job_ends_even_if_workers_crash_fail_and_release() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let looked_after = scene.start().await;
    let producer = embedded(&scene).await;
    let put_in = async {
        for n in (0..JOBS).step_by(20) {
            let batch = (n..n + 20).map(|n| {
                let mut one = job(n);
                one.kind = format!("t{}", n % 4).into();
                one.priority = u16::try_from(n % 3).unwrap();
                one.max_attempts = 100;
                one.backoff.base = Duration::from_millis(5);
                if n % 5 == 0 {
                    one.run_at = RunAt::After(Duration::from_millis(n as u64 % 50));
                }
                if n % 7 == 0 {
                    one.unique = Some(Unique {
                        key: format!("k{n}").into(),
                        mode: UniqueMode::Refuse,
                        keep: None,
                        max_wait: None,
                    });
                }
                one
            });
            producer.add(&queue, batch.collect()).await.unwrap();
        }
    };
    let workers = join_all((0..WORKERS).map(|_| embedded(&scene))).await;
    let until = Instant::now() + SOON;
    let work = async |jobs: &Jobs| {
        let mut done = Vec::new();
        let request = LeaseRequest {
            lease: Duration::from_millis(150),
            wait: Duration::from_millis(700),
            ..up_to(8)
        };
        loop {
            let leased = jobs.lease(&queue, &request).await.unwrap();
            if leased.is_empty() {
                return done;
            }
            assert!(Instant::now() < until, "it ends");
            let mut settlements = Vec::new();
            for one in &leased {
                match rand::rng().random_range(0..10) {
                    // It ends with the worker.
                    0 => {}
                    1 => settlements.push(ended(one, End::Release)),
                    2 => settlements.push(ended(
                        one,
                        End::Fail {
                            error: "no".to_owned(),
                            retry: Retry::Policy,
                        },
                    )),
                    _ => settlements.push(completed(one)),
                }
            }
            let (outcomes, _) = jobs.settle(&queue, settlements.clone(), None).await.unwrap();
            for (settlement, outcome) in settlements.iter().zip(outcomes) {
                let is_done = outcome == SettleOutcome::Settled(State::Done);
                if is_done && matches!(settlement.end, End::Complete { .. }) {
                    let one = leased.iter().find(|one| one.id == settlement.id).unwrap();
                    done.push(number(one));
                }
            }
        }
    };
    let working = join_all(workers.iter().map(work));
    let ((), done) = join!(put_in, working);
    let mut times = BTreeMap::new();
    for n in done.into_iter().flatten() {
        *times.entry(n).or_insert(0) += 1;
    }
    assert_eq!(times.len(), JOBS);
    assert!(times.values().all(|times| *times == 1), "a job is done once: {times:?}");
    let books = Books::read(&scene, &queue).await;
    books.balance();
    assert_eq!(
        (books.count("done"), books.count("ready") + books.count("leased")),
        (JOBS, 0)
    );
    drop(looked_after);
}

/// A job with one of few keys, on random terms.
fn keyed(n: usize) -> NewJob {
    let mut rng = rand::rng();
    let mode = [UniqueMode::Refuse, UniqueMode::Replace, UniqueMode::Debounce][rng.random_range(0..3)];
    let mut one = job(n);
    one.kind = format!("t{}", n % 2).into();
    one.max_attempts = rng.random_range(1..3);
    one.backoff.base = Duration::from_millis(rng.random_range(0..20));
    one.run_at = RunAt::After(Duration::from_millis(rng.random_range(0..3) * 20));
    one.keep_result = Duration::from_secs(rng.random_range(0..2) * 60);
    one.unique = Some(Unique {
        key: format!("k{}", rng.random_range(0..5)).into(),
        mode,
        keep: rng
            .random_bool(0.5)
            .then(|| Duration::from_millis(rng.random_range(1..500))),
        max_wait: (mode == UniqueMode::Debounce).then(|| Duration::from_millis(rng.random_range(1..100))),
    });
    one
}

#[actix_web::test]
async fn the_counters_balance_under_any_calls_on_jobs_with_keys() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let _looked_after = scene.start().await;
    let clients = join_all((0..4).map(|_| embedded(&scene))).await;
    let brief = LeaseRequest {
        lease: Duration::from_millis(100),
        ..up_to(3)
    };
    let storm = async |jobs: &Jobs| {
        for n in 0..200 {
            match rand::rng().random_range(0..9) {
                0..=3 => drop(jobs.add(&queue, vec![keyed(n), keyed(n)]).await.unwrap()),
                4 | 5 => {
                    let leased = jobs.lease(&queue, &brief).await.unwrap();
                    let fail = |retry| End::Fail {
                        error: "no".to_owned(),
                        retry,
                    };
                    // Every other time the first is lost with its worker.
                    let ends = [End::Complete { result: None }, fail(Retry::Policy), fail(Retry::Never)];
                    let ended = leased.iter().skip(n % 2).zip(ends).map(|(one, end)| ended(one, end));
                    jobs.settle(&queue, ended.collect(), None).await.unwrap();
                }
                6 => {
                    let cancelled = jobs
                        .cancel_unique(&queue, &ExternalId::parse(&format!("k{}", n % 5)).unwrap())
                        .await;
                    let is_refused = matches!(cancelled, Err(JobsError::Unknown | JobsError::Conflict(State::Done)));
                    assert!(cancelled.is_ok() || is_refused, "{cancelled:?}");
                }
                7 => {
                    let state = [State::Ready, State::Delayed][n % 2];
                    assert!(jobs.drain(&queue, state, 2).await.unwrap().0 <= 2);
                }
                _ => drop(jobs.redrive(&queue, 2).await.unwrap()),
            }
            if n % 20 == 0 {
                Books::read(&scene, &queue).await.balance();
            }
        }
    };
    join_all(clients.iter().map(storm)).await;
    Books::read(&scene, &queue).await.balance();
}

#[actix_web::test]
async fn disconnecting_clients_on_slow_connections_use_up_no_attempt() {
    let (scene, queue) = (Scene::new().await, id_of("q"));
    let disconnecting = DisconnectingClients::beside(&scene).await;
    let (_looked_after, producer) = (scene.start().await, embedded(&scene).await);
    let put_in = async {
        for n in (0..JOBS).step_by(20) {
            let batch = (n..n + 20).map(|n| {
                let mut one = job(n);
                one.kind = format!("t{}", n % 3).into();
                one.max_attempts = 1;
                one
            });
            producer.add(&queue, batch.collect()).await.unwrap();
            sleep(DISCONNECTING / 40).await;
        }
    };
    let done = RefCell::new(BTreeMap::new());
    let until = Instant::now() + SOON;
    let work = async |jobs: Jobs| {
        let request = LeaseRequest {
            wait: Duration::from_millis(300),
            ..up_to(4)
        };
        while done.borrow().len() < JOBS {
            assert!(Instant::now() < until, "all are done: {}", done.borrow().len());
            let leased = jobs.lease(&queue, &request).await.unwrap();
            let (outcomes, _) = jobs
                .settle(&queue, leased.iter().map(completed).collect(), None)
                .await
                .unwrap();
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| *outcome == SettleOutcome::Settled(State::Done))
            );
            for one in &leased {
                *done.borrow_mut().entry(number(one)).or_insert(0) += 1;
            }
            // Some jobs remain for clients that disconnect.
            sleep(Duration::from_millis(10)).await;
        }
    };
    let working = join_all((0..WORKERS).map(async |_| work(embedded(&scene).await).await));
    let leaving = |_round| {
        let next = body!({"count": 5, "lease_ms": 600_000});
        [
            AbandonedPost::new("/v1/queues/q/lease", next.clone()),
            AbandonedPost::new("/v1/queues/q/settle", body!({"jobs": [], "lease_next": next.clone()})),
            AbandonedPost::new(
                "/v1/queues/q/lease",
                body!({"types": ["t1"], "wait_ms": 5_000, "lease_ms": 600_000}),
            ),
            AbandonedPost::new("/v1/queues/q/settle", body!({"jobs": [], "lease_next": next})),
        ]
        .into()
    };
    let ((), _, left) = join!(put_in, working, disconnecting.storm(DISCONNECTING, leaving));
    assert!(left > 20, "{left}");
    assert!(done.borrow().values().all(|times| *times == 1), "{done:?}");
    let books = Books::read(&scene, &queue).await;
    books.balance();
    assert_eq!((books.count("done"), books.count("dead")), (JOBS, 0));
}
