//! Processes that run jobs are killed at random, and Redis too, while jobs are added. Eight seconds; `make soak` continues for
//! `SOAK_SECONDS`.

use super::{Books, embedded_with, id_of};
use crate::support::{Receiver, Redis, Scene, ServiceProcess, eventually};
use fleetpulse::ids::Id;
use fleetpulse::jobs::{JobId, JobSettings, Jobs, JobsError, NewJob, RunAt, State, Unique, UniqueMode};
use rand::RngExt;
use redis::cmd;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PROCESSES: usize = 3;
const BATCH: usize = 20;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Some are ready at once, some later, and some have a unique key by which each replaces the one before.
fn job(n: usize) -> NewJob {
    let payload = json!({ "title": "soak", "body": n.to_string() });
    NewJob {
        priority: u16::try_from(n % 3).unwrap(),
        run_at: match n % 10 {
            0 | 3 | 5 => RunAt::After(Duration::from_millis(n as u64 % 500)),
            _ => RunAt::Now,
        },
        unique: (n % 10 == 3).then(|| Unique {
            key: format!("k{}", n / 10 % 20).into(),
            mode: UniqueMode::Replace,
            keep: None,
            max_wait: None,
        }),
        // Each kill may cost an attempt.
        max_attempts: 100,
        ..NewJob::new("notification", serde_json::value::to_raw_value(&payload).unwrap())
    }
}

/// The state that the client expects.
#[derive(Debug, Default)]
struct Known {
    /// Jobs that exist, and whether they may be replaced.
    acknowledged: HashMap<JobId, bool>,
    last: Option<JobId>,
    /// Jobs that may exist or not.
    unknown: usize,
    /// Jobs that were to be cancelled, and whether they are.
    cancelled: HashMap<JobId, bool>,
}

impl Known {
    fn count(&self) -> usize {
        self.acknowledged.len() + self.unknown
    }

    async fn add(&mut self, jobs: &Jobs, queue: &Id) {
        let batch: Vec<NewJob> = (self.count()..self.count() + BATCH).map(job).collect();
        let may_go: Vec<bool> = batch.iter().map(|job| job.unique.is_some()).collect();
        match jobs.add(queue, batch).await {
            Ok(added) => {
                let ids: Vec<JobId> = added.into_iter().map(|added| added.id).collect();
                self.last = ids.last().cloned();
                self.acknowledged.extend(ids.into_iter().zip(may_go));
            }
            Err(_) => self.unknown += BATCH,
        }
    }

    /// Cancels the last one, if it has not ended.
    async fn cancel(&mut self, jobs: &Jobs) {
        let Some(id) = self.last.take() else { return };
        match jobs.cancel(&id).await {
            Ok(()) => drop(self.cancelled.insert(id.clone(), true)),
            Err(JobsError::Store(_)) => drop(self.cancelled.entry(id.clone()).or_insert(false)),
            Err(JobsError::Conflict(State::Done) | JobsError::Unknown) => {}
            Err(error) => panic!("{id}: {error}"),
        }
    }
}

/// Writes are on the disk before they are acknowledged.
async fn always(redis: &Redis) {
    let mut set = cmd("CONFIG");
    let () = redis.query(set.arg("SET").arg("appendfsync").arg("always")).await;
}

#[actix_web::test]
async fn with_processes_and_redis_killed_at_random_every_acknowledged_job_completes_and_the_books_balance() {
    let seconds = env::var("SOAK_SECONDS").map_or(8, |seconds| seconds.parse().unwrap());
    let receiver = Receiver::start();
    let mut scene = Scene::on(Redis::durable().await).with(&[
        &format!("--webhook-urls={}", receiver.url),
        &format!("--webhook-secrets={SECRET}"),
        "--outgoing-allow=127.0.0.1",
        "--work-lease=1000",
        "--work-concurrency=8",
        "--workers=1",
        "--job-keep-done=10000000",
    ]);
    always(&scene.redis).await;
    let platform = id_of("platform");
    let settings = JobSettings {
        keep_done: 10_000_000,
        ..JobSettings::default()
    };
    let jobs = embedded_with(&scene, settings).await;
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(scene.start_process().await);
    }
    let mut known = Known::default();
    let (mut killed, mut redis_killed) = (0, 0);
    let start = Instant::now();
    let mut next_kill = Instant::now() + Duration::from_millis(300);
    while start.elapsed() < Duration::from_secs(seconds) {
        known.add(&jobs, &platform).await;
        if rand::rng().random_range(0..4) == 0 {
            known.cancel(&jobs).await;
        }
        sleep(Duration::from_millis(15)).await;
        if Instant::now() < next_kill {
            continue;
        }
        if rand::rng().random_range(0..4) == 0 {
            scene.redis.kill();
            scene.redis.restart().await;
            always(&scene.redis).await;
            redis_killed += 1;
        } else {
            let which = rand::rng().random_range(0..PROCESSES);
            let process: ServiceProcess = processes.swap_remove(which);
            process.kill().await;
            processes.push(scene.start_process_unready().await);
            killed += 1;
        }
        // During the test, as long as reading all of them does not affect the load.
        if known.count() < 30_000 {
            Books::read(&scene, &platform).await.balance();
        }
        next_kill = Instant::now() + Duration::from_millis(rand::rng().random_range(100..700));
    }
    let Known {
        acknowledged,
        unknown,
        cancelled,
        ..
    } = known;
    let left = Duration::from_mins(1);
    eventually(left, "all jobs have ended", async || {
        let counts = jobs.counts(&platform).await.ok()?;
        let alive = [State::Ready, State::Delayed, State::Leased].map(|state| counts.of(state));
        (alive.iter().sum::<u64>() == 0).then_some(())
    })
    .await;
    // Its effect exists as well.
    let mut sent = BTreeMap::<String, usize>::new();
    for message in receiver.received() {
        *sent.entry(message.headers["webhook-id"].clone()).or_default() += 1;
    }
    let (mut attempts, mut replaced) = (BTreeMap::<u32, usize>::new(), 0);
    for (id, may_go) in &acknowledged {
        let job = match jobs.get(id).await {
            Err(JobsError::Unknown) if *may_go => {
                replaced += 1;
                continue;
            }
            job => job.unwrap(),
        };
        let end = match cancelled.get(id) {
            Some(true) => State::Cancelled,
            Some(false) if job.state == State::Cancelled => continue,
            // Another job took its key while a process that was killed had it: it does not run again after that one.
            None if *may_go && job.state == State::Cancelled && job.leased_ms.is_some() => continue,
            _ => State::Done,
        };
        assert_eq!(job.state, end, "{job:?}");
        if end == State::Done {
            *attempts.entry(job.attempts).or_default() += 1;
            let was_sent = sent.contains_key(&id.as_str().replace('.', ":"));
            assert!(was_sent, "{id} was sent to no webhook");
        }
    }
    let books = Books::read(&scene, &platform).await;
    books.balance();
    let (all, dead) = (books.records(), books.count("dead"));
    assert_eq!(dead, 0, "no attempt failed for good");
    let most = acknowledged.len() - replaced + unknown;
    assert!((most - unknown..=most).contains(&all), "{all} {most} {unknown}");
    assert!(acknowledged.len() > 100 && killed > 0, "{most} {killed}");
    print(&format!(
        "soak of {seconds} s: {} jobs acknowledged ({unknown} more with a lost answer), {} done, {} cancelled, {replaced} replaced; \
         {killed} processes and {redis_killed} times Redis killed; jobs by attempts {attempts:?}; {} sent more than once",
        acknowledged.len(),
        books.count("done"),
        books.count("cancelled"),
        sent.values().filter(|count| **count > 1).count(),
    ));
}

#[expect(clippy::print_stdout, reason = "the report of a long run")]
fn print(report: &str) {
    println!("{report}");
}
