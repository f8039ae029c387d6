//! How many jobs with an empty handler one pool runs a second, and what a job costs, on a Redis of its own:
//! `cargo run --release --example jobs_rate [JOBS] [WAITING] [CONCURRENCY] [PRIORITIES] [REDIS_URL]`.
//!
//! First `WAITING` jobs are added, then `JOBS` more; then `JOBS` are run while the others wait. `PRIORITIES` above 1 gives each
//! job one of this many priorities, in turns. Done jobs are not kept.

use fleetpulse::ids::Id;
use fleetpulse::jobs::worker::{Context, Job, JobFailure, Outcome, Pool, PoolSettings, Registry};
use fleetpulse::jobs::{Fault, JobMetrics, JobSettings, Jobs, MAX_BATCH, NewJob, Wakeups, WorkerMetrics};
use fleetpulse::store::embedded::{Embedded, EmbeddedSettings};
use fleetpulse::store::{Keys, Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use redis::IntoConnectionInfo;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the handlers count by.
struct Done {
    left: AtomicUsize,
    all: Notify,
}

/// A job that does nothing.
struct Empty;

impl Job for Empty {
    const NAME: &'static str = "empty";
    const QUEUE: &'static str = "bench";
    const KEEP_RESULT: Duration = Duration::ZERO;
    const TIMEOUT: Duration = Duration::ZERO;
    type State = Done;

    fn parse(_payload: &str) -> std::result::Result<Self, Vec<Fault>> {
        Ok(Self)
    }

    async fn run(self, context: Context<Done>) -> std::result::Result<Outcome, JobFailure> {
        if context.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            context.all.notify_one();
        }
        Ok(Outcome::Done)
    }
}

/// Removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[actix_web::main]
async fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize, usual: usize| words.get(at).map_or(Ok(usual), |word| word.parse());
    let (jobs, waiting, concurrency, priorities) =
        (number(0, 500_000)?, number(1, 100)?, number(2, 100)?, number(3, 1)?);
    let folder = Folder(env::temp_dir().join(format!("fleetpulse-jobs-{}", process::id())));
    let (server, address) = if let Some(url) = words.get(4) {
        (None, url.as_str().into_connection_info()?)
    } else {
        let server = Embedded::start(&EmbeddedSettings::new(&folder.0)).await?;
        let address = server.connection_info();
        (Some(server), address)
    };
    let store = Store::new(address, Keys::new("fp:", 1), Duration::from_secs(10))?;
    let link = Link::open(&store);
    link.connected().await;
    let queue = Queue {
        jobs: Jobs::new(link.clone(), Wakeups::listen(&store), unbounded()),
        name: Id::parse(Empty::QUEUE)?,
        link,
        priorities: u16::try_from(priorities)?,
    };
    queue.add(waiting).await?;
    let before = queue.cpu().await?;
    let start = Instant::now();
    queue.add(jobs).await?;
    queue.report("put in", jobs, start.elapsed(), before).await?;
    queue.run(jobs, concurrency).await?;
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(())
}

/// More jobs wait here than may by default.
fn unbounded() -> JobSettings {
    JobSettings {
        waiting: 100_000_000,
        bytes: 1 << 40,
        ..JobSettings::default()
    }
}

struct Queue {
    jobs: Jobs,
    name: Id,
    link: Link,
    priorities: u16,
}

/// CPU seconds of this process and of Redis.
#[derive(Clone, Copy)]
struct Cpu(f64, f64);

impl Queue {
    async fn add(&self, count: usize) -> Result<()> {
        let new = |n: usize| -> Result<NewJob> {
            let priority = u16::try_from(n % usize::from(self.priorities.max(1)))?;
            let job = Empty::new_job(&serde_json::json!({ "n": n }))?;
            Ok(NewJob { priority, ..job })
        };
        let mut from = 0;
        while from < count {
            let to = count.min(from + MAX_BATCH);
            let batch: Vec<NewJob> = (from..to).map(new).collect::<Result<_>>()?;
            self.jobs.add(&self.name, batch).await?;
            from = to;
        }
        Ok(())
    }

    async fn run(&self, count: usize, concurrency: usize) -> Result<()> {
        let done = Arc::new(Done {
            left: AtomicUsize::new(count),
            all: Notify::new(),
        });
        let metrics = JobMetrics::register(&MetricsRegistry::default())?;
        let pool = Pool::new(
            self.jobs.clone(),
            self.name.clone(),
            Registry::default().with::<Empty>(Arc::clone(&done)),
            PoolSettings {
                concurrency,
                ..PoolSettings::default()
            },
            WorkerMetrics::of(&metrics.attempts, &self.name),
        );
        let before = self.cpu().await?;
        let start = Instant::now();
        let mut elapsed = Duration::ZERO;
        pool.run(async {
            done.all.notified().await;
            elapsed = start.elapsed();
        })
        .await;
        self.report("run", count, elapsed, before).await
    }

    async fn cpu(&self) -> Result<Cpu> {
        let info: String = self.link.query(redis::cmd("INFO").arg("cpu")).await?;
        let of = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name));
            value.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or(0.0)
        };
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let ticks: f64 = ticks.sum::<std::result::Result<_, _>>()?;
        // A hundred ticks a second on every Linux that Rust runs on.
        Ok(Cpu(ticks / 100.0, of("used_cpu_user:") + of("used_cpu_sys:")))
    }

    #[expect(clippy::print_stdout, reason = "what it is run for")]
    #[expect(clippy::cast_precision_loss, reason = "a count of jobs is far below 2^52")]
    async fn report(&self, what: &str, count: usize, elapsed: Duration, before: Cpu) -> Result<()> {
        let now = self.cpu().await?;
        let (own, redis) = (now.0 - before.0, now.1 - before.1);
        let each = |seconds: f64| seconds * 1e6 / count as f64;
        println!(
            "{what}: {:.0} jobs/s; CPU a job {:.2} µs = {:.2} here + {:.2} of Redis",
            count as f64 / elapsed.as_secs_f64(),
            each(own + redis),
            each(own),
            each(redis),
        );
        Ok(())
    }
}
