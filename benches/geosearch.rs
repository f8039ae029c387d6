//! The live index beside GEOSEARCH on a real Redis, on the same city at the same moment.
//!
//! `cargo bench --bench geosearch`. The index beside a list searched from end to end, and its updates, are in the benches of
//! `fleetpulse-index`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fleetpulse::geo::Point;
use fleetpulse::tracking::live::{LiveIndex, Origin, Update};
use fleetpulse::tracking::model::{Filter, NearbyQuery};
use fleetpulse::tracking::{Kind, commands};
use ground::or_exit;
use redis_server::Redis;
use std::hint::black_box;
use std::time::Duration;
use support::{city, fix, id, seeded};

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

const SIZES: [(&str, usize); 3] = [("1M", 1_000_000), ("100k", 100_000), ("10k", 10_000)];
/// Entities of one batch, and of one `GEOADD`.
const BATCH: usize = 1_000;
/// The time of the bench, Unix milliseconds.
const NOW: i64 = 1_700_000_000_000;
/// Long enough for nothing to expire, milliseconds.
const TTL: i64 = 300_000;

fn nearest(center: Point) -> NearbyQuery {
    NearbyQuery {
        center,
        radius_m: 2_000.0,
        limit: 10,
        filter: Filter::default(),
    }
}

fn nearby(c: &mut Criterion) {
    let mut group = c.benchmark_group("nearby");
    let mut rng = seeded();
    for (name, count) in SIZES {
        let points = city(&mut rng, count);
        // So many places that the caches do not hold what all of them need.
        let queries: Vec<NearbyQuery> = points
            .iter()
            .step_by((points.len() / 100_000).max(1))
            .copied()
            .map(nearest)
            .collect();
        let mut turn = queries.iter().cycle();
        let index = index_of(&points);
        group.sample_size(30);
        group.bench_function(BenchmarkId::new("live", name), |b| {
            b.iter(|| turn.next().map(|query| index.nearby(black_box(query), NOW)));
        });
        let redis = redis_of(name, &points);
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("redis", name), |b| {
            b.iter(|| turn.next().map(|query| nearby_redis(&redis, black_box(query))));
        });
    }
}

/// Creates an index with an entity at each place.
fn index_of(points: &[Point]) -> LiveIndex {
    let index = LiveIndex::new(TTL, usize::MAX);
    for (piece, points) in points.chunks(BATCH).enumerate() {
        let updates: Vec<Update> = (piece * BATCH..)
            .zip(points)
            .map(|(n, point)| Update {
                id: id(n),
                fix: fix(*point, NOW),
            })
            .collect();
        index.apply(Origin::Stored, &updates, NOW);
    }
    index
}

/// Starts a Redis with the same entities in its GEO index.
fn redis_of(name: &str, points: &[Point]) -> Redis {
    let redis = Redis::start(name);
    let key = redis.link.store().keys().geo(Kind::Drivers, 0);
    redis.runtime.block_on(async {
        for (piece, points) in points.chunks(BATCH).enumerate() {
            let mut cmd = redis::cmd("GEOADD");
            cmd.arg(&key);
            for (n, point) in (piece * BATCH..).zip(points) {
                cmd.arg(point.lon()).arg(point.lat()).arg(id(n).as_str());
            }
            or_exit(redis.link.query::<usize>(&cmd).await);
        }
    });
    redis
}

/// GEOSEARCH over a Unix socket; only ids and distances, where the live index returns whole entities.
fn nearby_redis(Redis { runtime, link, .. }: &Redis, query: &NearbyQuery) -> usize {
    let found = commands::search(link, Kind::Drivers, 0, query.center, query.radius_m, query.limit);
    or_exit(runtime.block_on(found)).len()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = nearby
}
criterion_main!(benches);
