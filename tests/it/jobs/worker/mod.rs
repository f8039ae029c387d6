//! The pool of workers: handlers that fail, panic, take long or lose their lease.

mod stopping;

use super::{Books, SOON, embedded, id_of as id};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::ids::Id;
use fleetpulse::jobs::worker::{Context, Job, JobFailure, Outcome, Pool, PoolSettings, Registry, json};
use fleetpulse::jobs::{Backoff, BackoffKind, Fault, JobId, JobMetrics, Jobs, NewJob, State, WorkerMetrics};
use fleetpulse::telemetry::MetricsRegistry;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json as value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A job that does what its payload requests, and records it.
#[derive(Debug, Deserialize)]
struct Deed {
    n: usize,
    /// One for each attempt; the last for all that follow.
    deeds: Vec<String>,
}

#[derive(Debug, Default)]
struct Notes {
    begun: Mutex<Vec<(usize, u32)>>,
    ended: Mutex<Vec<usize>>,
    dropped: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

/// Decremented however the handler ends.
struct Inside<'a>(&'a Notes);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Job for Deed {
    const NAME: &'static str = "deed";
    const QUEUE: &'static str = "q";
    const MAX_ATTEMPTS: u32 = 3;
    const BACKOFF: Backoff = Backoff {
        kind: BackoffKind::Fixed,
        base: Duration::from_millis(20),
        max: Duration::from_millis(20),
        jitter: 0.0,
    };
    type State = Notes;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        json(payload)
    }

    async fn run(self, context: Context<Notes>) -> Result<Outcome, JobFailure> {
        context.begun.lock().push((self.n, context.attempt()));
        let running = context.running.fetch_add(1, Ordering::SeqCst) + 1;
        context.most.fetch_max(running, Ordering::SeqCst);
        let inside = Inside(&context);
        let attempt = usize::try_from(context.attempt()).unwrap();
        let deed = self.deeds.get(attempt - 1).or(self.deeds.last());
        let (deed, ms) = deed.and_then(|deed| deed.split_once(' ')).unwrap_or_default();
        sleep(Duration::from_millis(ms.parse().unwrap_or(0))).await;
        match deed {
            "fail" => return Err(JobFailure::new("as requested")),
            "die" => return Err(JobFailure::never("for good")),
            "panic" => panic!("as requested"),
            "progress" => {
                context.progress(&value!({ "half": true })).await?;
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        context.ended.lock().push(self.n);
        drop(inside);
        Ok(match deed {
            "then" => Outcome::Then {
                kind: None,
                payload: Some(serde_json::value::to_raw_value(
                    &value!({ "n": self.n + 100, "deeds": [] }),
                )?),
                delay: Duration::from_millis(30),
            },
            _ => Outcome::result(&value!({ "n": self.n }))?,
        })
    }
}

fn deed(n: usize, deeds: &[&str]) -> NewJob {
    Deed::new_job(&value!({ "n": n, "deeds": deeds })).unwrap()
}

struct Running {
    notes: Arc<Notes>,
    stop: oneshot::Sender<()>,
    pool: JoinHandle<()>,
    metrics: WorkerMetrics,
}

impl Running {
    fn start(jobs: &Jobs, settings: PoolSettings) -> Self {
        Self::with(jobs, settings, Arc::default())
    }

    fn with(jobs: &Jobs, settings: PoolSettings, notes: Arc<Notes>) -> Self {
        let registry = Registry::default().with::<Deed>(Arc::clone(&notes));
        let metrics = WorkerMetrics::of(
            &JobMetrics::register(&MetricsRegistry::default()).unwrap().attempts,
            "q",
        );
        let pool = Pool::new(jobs.clone(), id("q"), registry, settings, metrics.clone());
        let (stop, stopped) = oneshot::channel();
        let pool = tokio::spawn(pool.run(async { drop(stopped.await) }));
        Self {
            notes,
            stop,
            pool,
            metrics,
        }
    }

    /// Requests its stop and waits until it has stopped.
    async fn stop(self) -> Arc<Notes> {
        drop(self.stop);
        self.pool.await.unwrap();
        self.notes
    }
}

fn settings(concurrency: usize) -> PoolSettings {
    PoolSettings {
        concurrency,
        lease: Duration::from_secs(5),
        drain: Duration::from_secs(5),
    }
}

async fn put(jobs: &Jobs, new: Vec<NewJob>) -> Vec<JobId> {
    let added = jobs.add(&id("q"), new).await.unwrap();
    added.into_iter().map(|added| added.id).collect()
}

async fn reaches(jobs: &Jobs, job: &JobId, state: State) -> fleetpulse::jobs::Job {
    eventually(SOON, &format!("the job is {state}"), async || {
        let job = jobs.get(job).await.unwrap();
        (job.state == state).then_some(job)
    })
    .await
}

#[actix_web::test]
async fn every_job_runs_once_within_the_concurrency_and_its_result_is_kept() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, (0..300).map(|n| deed(n, &["wait 5"])).collect()).await;
    let pool = Running::start(&jobs, settings(8));
    let last = reaches(&jobs, ids.last().unwrap(), State::Done).await;
    assert_eq!(last.result.as_ref().unwrap().get(), r#"{"n":299}"#);
    for job in &ids {
        reaches(&jobs, job, State::Done).await;
    }
    let metrics = pool.metrics.clone();
    let notes = pool.stop().await;
    assert_eq!(notes.most.load(Ordering::SeqCst), 8);
    let mut ended = notes.ended.lock().clone();
    ended.sort_unstable();
    assert_eq!(ended, (0..300).collect::<Vec<_>>());
    assert_eq!(metrics.completed.get(), 300);
    Books::read(&scene, &id("q")).await.balance();
}

#[actix_web::test]
async fn one_worker_keeps_the_order_within_a_priority() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let new = (0..600).map(|n| NewJob {
        priority: if n % 3 == 0 { 7 } else { 0 },
        ..deed(n, &[])
    });
    let ids = put(&jobs, new.collect()).await;
    let pool = Running::start(&jobs, settings(1));
    for job in &ids {
        reaches(&jobs, job, State::Done).await;
    }
    let notes = pool.stop().await;
    let order: Vec<usize> = notes.begun.lock().iter().map(|(n, _)| *n).collect();
    let (high, low): (Vec<usize>, Vec<usize>) = (0..600).partition(|n| n % 3 == 0);
    assert_eq!(order, [high, low].concat());
}

#[actix_web::test]
async fn a_panic_is_a_failure_and_the_pool_continues() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(
        &jobs,
        vec![
            deed(0, &["panic 0"]),
            deed(1, &["fail 0", "panic 5", "well 0"]),
            deed(2, &["die 0"]),
            deed(3, &[]),
        ],
    )
    .await;
    let pool = Running::start(&jobs, settings(4));
    let panicked = reaches(&jobs, &ids[0], State::Dead).await;
    assert_eq!((panicked.attempts, panicked.failures.len()), (3, 3));
    assert!(
        panicked.failures[0].error.contains("panicked: as requested"),
        "{panicked:?}"
    );
    assert_eq!(reaches(&jobs, &ids[1], State::Done).await.attempts, 3);
    let died = reaches(&jobs, &ids[2], State::Dead).await;
    assert_eq!((died.attempts, died.failures[0].error.as_str()), (1, "for good"));
    reaches(&jobs, &ids[3], State::Done).await;
    assert_eq!(pool.metrics.panicked.get(), 4);
    pool.stop().await;
    Books::read(&scene, &id("q")).await.balance();
}

#[actix_web::test]
async fn a_job_with_an_invalid_payload_is_dead_at_once() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, vec![NewJob::new(Deed::NAME, super::json("[]"))]).await;
    let pool = Running::start(&jobs, settings(4));
    let dead = reaches(&jobs, &ids[0], State::Dead).await;
    assert_eq!(dead.attempts, 1);
    assert!(
        dead.failures[0].error.starts_with("the payload is not valid"),
        "{dead:?}"
    );
    assert!(pool.stop().await.begun.lock().is_empty());
}

#[actix_web::test]
async fn a_handler_that_exceeds_its_time_limit_fails() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let new = NewJob {
        timeout: Duration::from_millis(300),
        max_attempts: 1,
        ..deed(0, &["wait 60000"])
    };
    let ids = put(&jobs, vec![new]).await;
    let pool = Running::start(&jobs, settings(4));
    let dead = reaches(&jobs, &ids[0], State::Dead).await;
    assert_eq!(dead.failures[0].error, "not done in 270 ms");
    assert_eq!(pool.metrics.timed_out.get(), 1);
    let notes = pool.stop().await;
    assert_eq!(notes.dropped.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn a_lease_lasts_as_long_as_its_handler() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, (0..20).map(|n| deed(n, &["wait 1500"])).collect()).await;
    let short = PoolSettings {
        lease: Duration::from_millis(400),
        ..settings(20)
    };
    // Another pool waits for released jobs.
    let (pool, other) = (
        Running::start(&jobs, short),
        Running::start(&embedded(&scene).await, short),
    );
    for job in &ids {
        assert_eq!(reaches(&jobs, job, State::Done).await.attempts, 1);
    }
    let (notes, others) = (pool.stop().await, other.stop().await);
    assert_eq!(notes.begun.lock().len() + others.begun.lock().len(), 20);
}

#[actix_web::test]
async fn a_handler_whose_job_is_cancelled_is_dropped() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, vec![deed(0, &["progress 0"])]).await;
    let short = PoolSettings {
        lease: Duration::from_millis(600),
        ..settings(4)
    };
    let pool = Running::start(&jobs, short);
    let job = eventually(SOON, "it has reported its progress", async || {
        let job = jobs.get(&ids[0]).await.unwrap();
        job.progress.is_some().then_some(job)
    })
    .await;
    assert_eq!(job.progress.unwrap().get(), r#"{"half":true}"#);
    jobs.cancel(&ids[0]).await.unwrap();
    eventually(SOON, "the handler has ended", async || {
        (pool.notes.dropped.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    assert_eq!(pool.metrics.lost.get(), 1);
    assert_eq!(pool.notes.begun.lock().len(), 1);
    pool.stop().await;
    Books::read(&scene, &id("q")).await.balance();
}

#[actix_web::test]
async fn a_continued_job_keeps_its_id() {
    let scene = Scene::new().await;
    let types = Registry::default().with::<Deed>(Arc::default());
    let validator = move |_: &Id, job: &NewJob| types.check(job);
    let jobs = embedded(&scene).await.with_validator(Arc::new(validator));
    let ids = put(&jobs, vec![deed(1, &["then 0"])]).await;
    let pool = Running::start(&jobs, settings(4));
    reaches(&jobs, &ids[0], State::Done).await;
    let notes = pool.stop().await;
    assert_eq!(*notes.begun.lock(), [(1, 1), (101, 1)]);
}

#[actix_web::test]
async fn prefetched_jobs_do_not_wait_behind_slow_ones() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    // So fast that many are leased ahead; then all are slow at once.
    let new = (0..400).map(|n| deed(n, if n < 350 { &[] } else { &["wait 4000"] }));
    let ids = put(&jobs, new.collect()).await;
    let pool = Running::start(&jobs, settings(2));
    eventually(SOON, "the slow ones have begun", async || {
        (pool.notes.begun.lock().len() == 352).then_some(())
    })
    .await;
    let other = Running::start(&jobs, settings(60));
    for job in &ids {
        assert_eq!(reaches(&jobs, job, State::Done).await.attempts, 1);
    }
    let (notes, others) = (pool.stop().await, other.stop().await);
    assert_eq!(notes.begun.lock().len() + others.begun.lock().len(), 400);
    assert!(others.begun.lock().len() >= 40, "{others:?}");
    Books::read(&scene, &id("q")).await.balance();
}

/// The same on a queue of its own.
#[derive(Deserialize)]
struct ElsewhereDeed(Deed);

impl Job for ElsewhereDeed {
    const NAME: &'static str = "elsewhere";
    const QUEUE: &'static str = "elsewhere";
    const PRIORITY: u16 = 7;
    type State = Notes;

    fn parse(payload: &str) -> Result<Self, Vec<Fault>> {
        json(payload)
    }

    async fn run(self, context: Context<Notes>) -> Result<Outcome, JobFailure> {
        self.0.run(context).await
    }
}

#[actix_web::test]
async fn each_type_is_added_to_its_queue_and_run_by_its_pool() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let notes = [Arc::<Notes>::default(), Arc::default()];
    let all = Registry::default()
        .with::<Deed>(Arc::clone(&notes[0]))
        .with::<ElsewhereDeed>(Arc::clone(&notes[1]));
    assert_eq!(all.queues(), ["elsewhere", "q"]);
    let nothing = value!({ "n": 1, "deeds": [] });
    let here = Deed::put(&jobs, &nothing).await.unwrap();
    let elsewhere = ElsewhereDeed::put(&jobs, &nothing).await.unwrap();
    assert_eq!((here.id.queue(), elsewhere.id.queue()), ("q", "elsewhere"));
    assert_eq!(jobs.get(&elsewhere.id).await.unwrap().priority, 7);
    let counters = JobMetrics::register(&MetricsRegistry::default()).unwrap().attempts;
    let pool_of = |queue: &str| {
        let metrics = WorkerMetrics::of(&counters, queue);
        Pool::new(jobs.clone(), id(queue), all.of_queue(queue), settings(2), metrics)
    };
    for (queue, notes) in all.queues().into_iter().rev().zip(&notes) {
        let is_done = eventually(SOON, "it is done", async || {
            (!notes.ended.lock().is_empty()).then_some(())
        });
        pool_of(queue).run(is_done).await;
        assert_eq!(*notes.ended.lock(), [1]);
    }
}

#[actix_web::test]
async fn a_pool_without_types_leases_no_jobs() {
    let scene = Scene::new().await;
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, vec![deed(0, &[])]).await;
    let metrics = WorkerMetrics::of(
        &JobMetrics::register(&MetricsRegistry::default()).unwrap().attempts,
        "q",
    );
    let pool = Pool::new(jobs.clone(), id("q"), Registry::default(), settings(4), metrics);
    pool.run(sleep(Duration::from_millis(200))).await;
    let job = jobs.get(&ids[0]).await.unwrap();
    assert_eq!((job.state, job.attempts), (State::Ready, 0));
}

#[actix_web::test]
async fn jobs_that_end_during_an_outage_are_settled_afterwards() {
    let mut scene = Scene::on(Redis::durable().await);
    let jobs = embedded(&scene).await;
    let ids = put(&jobs, (0..40).map(|n| deed(n, &["wait 200"])).collect()).await;
    let long = PoolSettings {
        lease: Duration::from_secs(30),
        ..settings(20)
    };
    let pool = Running::start(&jobs, long);
    eventually(SOON, "some have begun", async || {
        (pool.notes.begun.lock().len() == 20).then_some(())
    })
    .await;
    scene.redis.kill();
    eventually(SOON, "they have ended", async || {
        (pool.notes.ended.lock().len() == 20).then_some(())
    })
    .await;
    scene.redis.restart().await;
    for job in &ids {
        let done = eventually(SOON, "the job is done", async || {
            jobs.get(job).await.ok().filter(|job| job.state == State::Done)
        })
        .await;
        assert_eq!(done.attempts, 1, "{done:?}");
    }
    assert_eq!(pool.stop().await.begun.lock().len(), 40);
    Books::read(&scene, &id("q")).await.balance();
}
