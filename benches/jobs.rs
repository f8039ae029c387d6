//! Jobs through a real Redis by the Rust interface: put in by the thousand, leased and completed by the hundred (what is done
//! and what is wanted next in one call), with 100 and with 1,000,000 others waiting behind three priorities. Beside them the bare
//! commands of a list, which is the least that a queue can be: `LPUSH` of a thousand and `LMPOP` of a hundred, without leases, priorities,
//! types or records. One element is a job. At the end it says what a job takes of both processes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::ids::Id;
use fleetpulse::jobs::{End, JobSettings, Jobs, LeaseRequest, Leased, NewJob, Settlement, Wakeups};
use fleetpulse::store::Link;
use ground::or_exit;
use redis_server::Redis;
use serde_json::value::RawValue;
use std::fs;
use std::time::{Duration, Instant};

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ADDED: usize = 1_000;
const BATCH: usize = 100;
const PRIORITIES: usize = 3;
const WAITING: [(&str, usize); 2] = [("100", 100), ("1,000,000", 1_000_000)];
/// The number of jobs of a run whose time is reported.
const RUN: usize = 300_000;

fn queue(name: &str) -> Id {
    let Ok(queue) = Id::parse(name) else {
        unreachable!("digits and letters are valid")
    };
    queue
}

/// A job with a typical payload: what it is about, by ids.
fn job(n: usize, keep: Duration) -> NewJob {
    let payload = format!("{{\"order\":\"ord-{n:08}\",\"customer\":\"cus-{n:08}\",\"total\":1999}}");
    let mut job = NewJob::new("invoice", or_exit(RawValue::from_string(payload)));
    job.priority = u16::try_from(n % PRIORITIES).unwrap_or(0);
    job.keep_result = keep;
    job
}

fn jobs_of(redis: &Redis) -> Jobs {
    redis.runtime.block_on(async {
        let wakeups = Wakeups::listen(redis.link.store());
        // More jobs wait here than may by default.
        let settings = JobSettings {
            waiting: 100_000_000,
            bytes: 1 << 40,
            ..JobSettings::default()
        };
        Jobs::new(redis.link.clone(), wakeups, settings)
    })
}

async fn fill(jobs: &Jobs, queue: &Id, count: usize, keep: Duration) {
    let mut put_in = 0;
    while put_in < count {
        let piece = ADDED.min(count - put_in);
        let batch = (put_in..put_in + piece).map(|n| job(n, keep)).collect();
        or_exit(jobs.add(queue, batch).await);
        put_in += piece;
    }
}

/// Completes jobs and leases the next ones.
async fn settle_and_lease(jobs: &Jobs, queue: &Id, leased: Vec<Leased>) -> Vec<Leased> {
    let done = |Leased { id, token, .. }| Settlement {
        id,
        token,
        end: End::Complete { result: None },
    };
    let done = leased.into_iter().map(done).collect();
    or_exit(jobs.settle(queue, done, Some(&LeaseRequest::of(BATCH))).await).1
}

fn add(c: &mut Criterion) {
    let redis = Redis::start("jobs-add");
    let jobs = jobs_of(&redis);
    let name = queue("bench");
    let mut group = c.benchmark_group("jobs_add");
    group.throughput(Throughput::Elements(ADDED as u64));
    group.bench_function("jobs", |b| {
        b.iter(|| redis.runtime.block_on(fill(&jobs, &name, ADDED, Duration::ZERO)));
    });
    group.bench_function("bare_lpush", |b| {
        b.iter(|| {
            let mut cmd = redis::cmd("LPUSH");
            cmd.arg("bare");
            for n in 0..ADDED {
                cmd.arg(job(n, Duration::ZERO).payload.get());
            }
            or_exit(redis.runtime.block_on(redis.link.query::<u64>(&cmd)));
        });
    });
    group.finish();
    redis.runtime.block_on(async { drop(jobs) });
}

fn lease_and_complete(c: &mut Criterion) {
    let redis = Redis::start("jobs");
    let jobs = jobs_of(&redis);
    let mut group = c.benchmark_group("jobs_lease_and_complete");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (waiting, count) in WAITING {
        let name = queue(&format!("bench-{count}"));
        redis.runtime.block_on(fill(&jobs, &name, count, Duration::ZERO));
        group.bench_function(format!("jobs/{waiting}"), |b| {
            b.iter_custom(|rounds| {
                redis.runtime.block_on(async {
                    let mut leased = or_exit(jobs.lease(&name, &LeaseRequest::of(BATCH)).await);
                    let mut spent = Duration::ZERO;
                    for _ in 0..rounds {
                        // One is added for each completed.
                        fill(&jobs, &name, BATCH, Duration::ZERO).await;
                        let start = Instant::now();
                        leased = settle_and_lease(&jobs, &name, leased).await;
                        spent += start.elapsed();
                    }
                    settle_and_lease(&jobs, &name, leased).await;
                    fill(&jobs, &name, 2 * BATCH, Duration::ZERO).await;
                    spent
                })
            });
        });
    }
    group.bench_function("bare_lmpop", |b| {
        b.iter_custom(|rounds| redis.runtime.block_on(bare(&redis.link, rounds)));
    });
    group.finish();
    redis.runtime.block_on(async { drop(jobs) });
}

async fn bare(link: &Link, rounds: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let mut pop = redis::cmd("LMPOP");
    pop.arg(1).arg("bare").arg("LEFT").arg("COUNT").arg(BATCH);
    for _ in 0..rounds {
        let mut push = redis::cmd("LPUSH");
        push.arg("bare");
        for n in 0..BATCH {
            push.arg(job(n, Duration::ZERO).payload.get());
        }
        or_exit(link.query::<u64>(&push).await);
        let start = Instant::now();
        let _popped: (String, Vec<String>) = or_exit(link.query(&pop).await);
        spent += start.elapsed();
    }
    spent
}

/// CPU time of Redis so far.
async fn redis_cpu(link: &Link) -> Duration {
    let info: String = or_exit(link.query(redis::cmd("INFO").arg("cpu")).await);
    let seconds = |name: &str| -> f64 {
        let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
    };
    Duration::from_secs_f64(seconds("used_cpu_user") + seconds("used_cpu_sys"))
}

/// CPU time of this process so far: the 14th and 15th field, counted behind the name in brackets, in ticks of 10 ms.
fn own_cpu() -> Duration {
    let stat = or_exit(fs::read_to_string("/proc/self/stat"));
    let fields = stat
        .rsplit_once(')')
        .map_or("", |(_, fields)| fields)
        .split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(10 * ticks)
}

/// What a job takes of both processes, from when it is ready until it is done, with an empty handler.
#[expect(clippy::print_stdout, reason = "a bench prints its results")]
fn figures(_c: &mut Criterion) {
    for (keep, kept) in [
        (Duration::ZERO, "forgotten when done"),
        (Duration::from_hours(1), "remembered"),
    ] {
        for behind in [0, 1_000_000] {
            let redis = Redis::start("jobs-figures");
            let jobs = jobs_of(&redis);
            let name = queue("bench");
            redis.runtime.block_on(async {
                fill(&jobs, &name, RUN + behind, keep).await;
                let (cpu, own, start) = (redis_cpu(&redis.link).await, own_cpu(), Instant::now());
                let mut leased = or_exit(jobs.lease(&name, &LeaseRequest::of(BATCH)).await);
                let mut done = 0;
                while !leased.is_empty() && done < RUN {
                    done += leased.len();
                    leased = settle_and_lease(&jobs, &name, leased).await;
                }
                let each = |time: Duration| time.as_secs_f64() * 1e6 / 300_000.0;
                println!(
                    "{RUN} jobs before {behind} others, {kept}: {:.0} jobs/s, CPU a job {:.2} us of Redis, {:.2} us of this process",
                    1e6 / each(start.elapsed()),
                    each(redis_cpu(&redis.link).await.saturating_sub(cpu)),
                    each(own_cpu().saturating_sub(own)),
                );
                drop(jobs);
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(20);
    targets = add, lease_and_complete, figures
}
criterion_main!(benches);
