//! Fixes into a real Redis by the record script, beside a raw pipeline of the three commands that a fix is without it:
//! GEOADD, SET PX, PUBLISH. The same connection, server and fixes; the script also lets the newest win, numbers its
//! batches and answers for each fix. The time is that of a batch, the throughput that of fixes.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::clock;
use fleetpulse::geo::Point;
use fleetpulse::ids::Id;
use fleetpulse::tracking::commands::{self, Recorded, Target};
use fleetpulse::tracking::model::Fix;
use fleetpulse::tracking::{Kind, snapshot};
use ground::or_exit;
use redis::Pipeline;
use redis_server::Redis;
use std::mem;
use std::time::Duration;
use support::{city, fix, id, seeded};

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

const DRIVERS: usize = 100_000;
const BATCHES: [usize; 3] = [1, 32, 500];
const TTL_MS: i64 = 300_000;

/// Drivers that report in turn, every time with a newer time and from another place: one that stays would cost the GEO
/// index nothing.
struct Fleet {
    fixes: Vec<(Id, Fix)>,
    /// Where each goes next.
    elsewhere: Vec<Point>,
    at: usize,
}

impl Fleet {
    fn new() -> Self {
        let mut places = city(&mut seeded(), 2 * DRIVERS);
        let elsewhere = places.split_off(DRIVERS);
        let now_ms = clock::now_ms();
        let report = |(n, point)| (id(n), fix(point, now_ms));
        Self {
            fixes: places.into_iter().enumerate().map(report).collect(),
            elsewhere,
            at: 0,
        }
    }

    fn next(&mut self, count: usize) -> &[(Id, Fix)] {
        if self.at + count > self.fixes.len() {
            self.at = 0;
        }
        let turn = self.at..self.at + count;
        self.at += count;
        let next = self.elsewhere[turn.clone()].iter_mut();
        let turn = &mut self.fixes[turn];
        for ((_, fix), next) in turn.iter_mut().zip(next) {
            fix.timestamp_ms += 1;
            mem::swap(&mut fix.point, next);
        }
        turn
    }
}

async fn by_script(redis: &Redis, fixes: &[(Id, Fix)]) {
    let target = Target {
        kind: Kind::Drivers,
        partition: 0,
        ttl_ms: TTL_MS,
        profile_ttl_ms: TTL_MS,
        origin: "0123456789abcdef",
        now_ms: fixes[0].1.timestamp_ms,
    };
    let recorded = |(id, fix)| Recorded {
        id,
        fix: Some(fix),
        change: None,
    };
    let fixes: Vec<_> = fixes.iter().map(|(id, fix)| recorded((id, fix))).collect();
    let _ = or_exit(commands::record(&redis.link, target, &fixes).await);
}

async fn by_pipeline(redis: &Redis, fixes: &[(Id, Fix)]) {
    let keys = redis.link.store().keys();
    // The kind that the script does not write here, so that each side has keys of its own.
    let kind = Kind::Vehicles;
    let (geo, updates) = (keys.geo(kind, 0), keys.updates(kind, 0));
    let (mut pipeline, mut key, mut json) = (Pipeline::with_capacity(3 * fixes.len()), String::new(), Vec::new());
    for (id, fix) in fixes {
        json.clear();
        snapshot::write(&mut json, id, fix);
        keys.write_snapshot(&mut key, kind, 0, id);
        pipeline
            .cmd("GEOADD")
            .arg(&geo)
            .arg(fix.point.lon())
            .arg(fix.point.lat())
            .arg(id.as_str())
            .ignore();
        pipeline.cmd("SET").arg(&key).arg(&json).arg("PX").arg(TTL_MS).ignore();
        pipeline.cmd("PUBLISH").arg(&updates).arg(&json).ignore();
    }
    or_exit(redis.link.pipeline::<()>(&pipeline).await);
}

fn record(c: &mut Criterion) {
    let redis = Redis::start("record");
    let (mut script, mut pipeline) = (Fleet::new(), Fleet::new());
    // Every driver once, so that all that is measured replaces.
    for _ in 0..DRIVERS / 500 {
        redis.runtime.block_on(async {
            by_script(&redis, script.next(500)).await;
            by_pipeline(&redis, pipeline.next(500)).await;
        });
    }
    let mut group = c.benchmark_group("record");
    for size in BATCHES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("script", size), |b| {
            b.iter(|| redis.runtime.block_on(by_script(&redis, script.next(size))));
        });
        group.bench_function(BenchmarkId::new("pipeline", size), |b| {
            b.iter(|| redis.runtime.block_on(by_pipeline(&redis, pipeline.next(size))));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = record
}
criterion_main!(benches);
