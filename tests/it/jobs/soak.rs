//! Processes that run jobs are killed at random, and Redis too, while jobs are put in. Eight seconds; `make soak` goes on for
//! `SOAK_SECONDS`.

use super::{Books, SOON, embedded_with, id_of};
use crate::support::{Receiver, Redis, Scene, ServiceProcess, eventually};
use fleetpulse::config::JobSettings;
use fleetpulse::jobs::{JobId, NewJob, State};
use rand::RngExt;
use redis::cmd;
use serde_json::json;
use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PROCESSES: usize = 3;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn job(n: usize) -> NewJob {
    let payload = json!({ "title": "soak", "body": n.to_string() });
    NewJob {
        priority: u16::try_from(n % 3).unwrap(),
        // Each kill may cost an attempt.
        max_attempts: 100,
        ..NewJob::new("notification", serde_json::value::to_raw_value(&payload).unwrap())
    }
}

/// What is written is on the disk before it is acknowledged.
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
    let (mut acknowledged, mut unknown): (Vec<JobId>, usize) = (Vec::new(), 0);
    let (mut killed, mut redis_killed) = (0, 0);
    let start = Instant::now();
    let mut next_kill = Instant::now() + Duration::from_millis(300);
    while start.elapsed() < Duration::from_secs(seconds) {
        let from = acknowledged.len() + unknown;
        match jobs.add(&platform, (from..from + 20).map(job).collect()).await {
            Ok(added) => acknowledged.extend(added.into_iter().map(|added| added.id)),
            // They may be there or not.
            Err(_) => unknown += 20,
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
        next_kill = Instant::now() + Duration::from_millis(rand::rng().random_range(100..700));
    }
    let left = Duration::from_mins(1);
    eventually(left, "all jobs have ended", async || {
        let counts = jobs.counts(&platform).await.ok()?;
        let alive = [State::Ready, State::Delayed, State::Leased].map(|state| counts.of(state));
        (alive.iter().sum::<u64>() == 0).then_some(())
    })
    .await;
    let mut attempts = BTreeMap::<u32, usize>::new();
    for id in &acknowledged {
        let job = jobs.get(id).await.unwrap();
        assert_eq!(job.state, State::Done, "{job:?}");
        *attempts.entry(job.attempts).or_default() += 1;
    }
    // Its effect is there as well.
    let mut told = BTreeMap::<String, usize>::new();
    for message in receiver.received() {
        *told.entry(message.headers["webhook-id"].clone()).or_default() += 1;
    }
    for id in &acknowledged {
        assert!(
            told.contains_key(&id.as_str().replace('.', ":")),
            "{id} was told to nobody"
        );
    }
    let books = eventually(SOON, "the books can be read", async || {
        Some(Books::read(&scene, &platform).await)
    })
    .await;
    books.balance();
    let (done, dead) = (books.count("done"), books.count("dead"));
    assert_eq!(dead, 0, "no attempt failed for good");
    assert!(
        (acknowledged.len()..=acknowledged.len() + unknown).contains(&done),
        "{done}"
    );
    assert!(
        acknowledged.len() > 100 && killed > 0,
        "{} {killed}",
        acknowledged.len()
    );
    tell(&format!(
        "soak of {seconds} s: {} jobs acknowledged, {done} done (of {unknown} more nobody knew), {killed} processes and \
         {redis_killed} times Redis killed; jobs by attempts {attempts:?}; {} told more than once",
        acknowledged.len(),
        told.values().filter(|count| **count > 1).count(),
    ));
}

#[expect(clippy::print_stdout, reason = "the report of a long run")]
fn tell(report: &str) {
    println!("{report}");
}
