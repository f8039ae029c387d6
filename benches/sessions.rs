//! A session's token validated through the Rust API, beside what any validation costs at the least: a bare `GET` of as many
//! bytes, and a bare script that does no more than that `GET`. The same connection and server; with one under way, and with
//! 64. The time is that of all that are under way, the throughput that of validations.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::ids::ExternalId;
use fleetpulse::sessions::{About, Data, NewSession, SessionMetrics, SessionSettings, Sessions, Shared, Token};
use fleetpulse::telemetry::MetricsRegistry;
use futures_util::future::join_all;
use ground::or_exit;
use redis_server::Redis;
use serde_json::{Map, json};
use std::time::Duration;

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SESSIONS: usize = 1_000;
const UNDER_WAY: [usize; 2] = [1, 64];
/// As many bytes as a session's fields have together.
const VALUE: [u8; 400] = [b'x'; 400];

async fn tokens(sessions: &Sessions) -> Vec<Token> {
    let data = Map::from_iter([
        ("locale".to_owned(), json!("de")),
        ("cart".to_owned(), json!(["scooter-1"])),
    ]);
    let mut tokens = Vec::with_capacity(SESSIONS);
    for n in 0..SESSIONS {
        let new = NewSession {
            subject: or_exit(ExternalId::parse(&format!("user-{n}"))),
            about: About {
                role: Some("rider".to_owned()),
                scopes: vec!["rides:book".to_owned(), "rides:see".to_owned()],
                device: None,
            },
            data: or_exit(Data::new(&data)),
            idle_ttl: None,
            absolute_ttl: None,
        };
        tokens.push(or_exit(sessions.create(&new).await).0);
    }
    tokens
}

fn validate(c: &mut Criterion) {
    let redis = Redis::start("sessions");
    let settings = SessionSettings {
        idle_ttl_s: 3_600,
        absolute_ttl_s: 86_400,
        max_ttl_s: 86_400,
        per_subject: 32,
        max: 1_000_000,
        rotation_grace_ms: 15_000,
    };
    let sessions = Sessions::new(
        redis.link.clone(),
        Shared::new(
            settings,
            &or_exit(SessionMetrics::register(&MetricsRegistry::default())),
        ),
    );
    let tokens = redis.runtime.block_on(tokens(&sessions));
    let mut set = redis::cmd("SET");
    set.arg("bare").arg(&VALUE[..]);
    or_exit(redis.runtime.block_on(redis.link.query::<()>(&set)));
    let mut get = redis::cmd("GET");
    get.arg("bare");
    let script = "return redis.call('GET', KEYS[1])";
    let mut load = redis::cmd("SCRIPT");
    load.arg("LOAD").arg(script);
    let hash: String = or_exit(redis.runtime.block_on(redis.link.query(&load)));
    let mut evalsha = redis::cmd("EVALSHA");
    evalsha.arg(hash).arg(1).arg("bare");

    let mut group = c.benchmark_group("validate");
    for count in UNDER_WAY {
        group.throughput(Throughput::Elements(count as u64));
        let mut next = 0;
        group.bench_function(BenchmarkId::new("session", count), |b| {
            b.iter(|| {
                next = (next + count) % (SESSIONS - count);
                let validations = tokens[next..next + count].iter().map(|token| sessions.validate(token));
                for validated in redis.runtime.block_on(join_all(validations)) {
                    or_exit(validated);
                }
            });
        });
        for (name, command) in [("evalsha", &evalsha), ("get", &get)] {
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    let commands = (0..count).map(|_| redis.link.query::<Vec<u8>>(command));
                    for answer in redis.runtime.block_on(join_all(commands)) {
                        or_exit(answer);
                    }
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = validate
}
criterion_main!(benches);
