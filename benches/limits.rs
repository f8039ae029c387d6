//! A check of a limit through the Rust API on a real Redis, beside the bare commands on the same connection: an `EVALSHA` of
//! a script that does nothing, and a `GET`. One after the other, and 64 at once, where requests share packets; the
//! throughput is that of checks.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::ids::ExternalId;
use fleetpulse::limits::{LimitMetrics, Limits, Policies};
use fleetpulse::telemetry::MetricsRegistry;
use futures_util::future::join_all;
use ground::or_exit;
use redis::cmd;
use redis_server::Redis;
use std::time::Duration;

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The policies are never spent, so that every check counts; of the refused nothing is written.
const POLICIES: &str = "gcra=gcra:1000000/1s; window=window:1000000/1s; spent=gcra:1/31d";
const AT_ONCE: [usize; 2] = [1, 64];
const KEYS: usize = 1_024;

struct Ground {
    redis: Redis,
    limits: Limits,
    keys: Vec<ExternalId>,
    nothing: String,
}

impl Ground {
    fn new() -> Self {
        let redis = Redis::start("limits");
        let policies: Policies = or_exit(POLICIES.parse());
        let limits = Limits::new(
            &redis.link,
            &policies,
            &or_exit(LimitMetrics::register(&MetricsRegistry::default())),
        );
        let load = cmd("SCRIPT").arg("LOAD").arg("return 1").to_owned();
        let nothing = or_exit(redis.runtime.block_on(redis.link.query(&load)));
        let keys = (0..KEYS)
            .map(|n| or_exit(ExternalId::parse(&format!("login:user-{n}"))))
            .collect();
        Self {
            redis,
            limits,
            keys,
            nothing,
        }
    }

    /// All at once, to the last.
    fn run(&self, all: impl Iterator<Item = impl Future<Output = ()>>) {
        self.redis.runtime.block_on(join_all(all));
    }

    async fn check(&self, policy: &str, n: usize) {
        let _ = or_exit(self.limits.check(policy, &self.keys[n % KEYS], 1).await);
    }

    async fn evalsha(&self, n: usize) {
        let mut call = cmd("EVALSHA");
        call.arg(&self.nothing).arg(1).arg(self.keys[n % KEYS].as_str());
        let _: u64 = or_exit(self.redis.link.query(&call).await);
    }

    async fn get(&self, n: usize) {
        let mut call = cmd("GET");
        call.arg(self.keys[n % KEYS].as_str());
        let _: Option<String> = or_exit(self.redis.link.query(&call).await);
    }
}

fn limits(c: &mut Criterion) {
    let ground = Ground::new();
    let ground = &ground;
    let mut group = c.benchmark_group("limits");
    for count in AT_ONCE {
        group.throughput(Throughput::Elements(count as u64));
        for policy in ["gcra", "window", "spent"] {
            group.bench_function(BenchmarkId::new(policy, count), |b| {
                let mut n = 0;
                b.iter(|| {
                    n += count;
                    ground.run((n..n + count).map(|n| ground.check(policy, n)));
                });
            });
        }
        group.bench_function(BenchmarkId::new("bare_evalsha", count), |b| {
            b.iter(|| ground.run((0..count).map(|n| ground.evalsha(n))));
        });
        group.bench_function(BenchmarkId::new("bare_get", count), |b| {
            b.iter(|| ground.run((0..count).map(|n| ground.get(n))));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = limits
}
criterion_main!(benches);
