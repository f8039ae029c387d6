//! The live index beside a list searched from end to end and beside GEOSEARCH on a real Redis, on the same city at the
//! same moment.
//!
//! `cargo bench --bench live_index`; the memory of an entity is printed first. `CITY_CSV` names a CSV file with `lat` and
//! `lon` columns to measure other places as well.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::geo::{BoundingBox, Point, distance_m};
use fleetpulse::tracking::live::{LiveIndex, Origin, Update};
use fleetpulse::tracking::model::{Filter, NearbyQuery, WithinQuery};
use fleetpulse::tracking::{Kind, commands};
use ground::or_exit;
use live::{NOW, drive, index_of, update};
use redis_server::Redis;
use std::env;
use std::fs;
use std::hint::black_box;
use std::time::Duration;
use support::{city, seeded};

#[path = "support/ground.rs"]
mod ground;
#[path = "support/live.rs"]
mod live;
#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

/// The largest first: its memory is measured while none that was freed can be taken again.
const SIZES: [(&str, usize); 3] = [("1M", 1_000_000), ("100k", 100_000), ("10k", 10_000)];
/// Above this a full search is not worth waiting for.
const NAIVE_UP_TO: usize = 100_000;
const BATCH: usize = 32;

fn nearest(center: Point) -> NearbyQuery {
    NearbyQuery {
        center,
        radius_m: 2_000.0,
        limit: 10,
        filter: Filter::default(),
    }
}

fn nearby(c: &mut Criterion, name: &str, points: &[Point], index: &LiveIndex) {
    let mut group = c.benchmark_group("nearby");
    // So many places that the caches do not hold what all of them need.
    let queries: Vec<NearbyQuery> = points
        .iter()
        .step_by((points.len() / 100_000).max(1))
        .copied()
        .map(nearest)
        .collect();
    let mut turn = queries.iter().cycle();
    group.bench_function(BenchmarkId::new("live", name), |b| {
        b.iter(|| turn.next().map(|query| index.nearby(black_box(query), NOW)));
    });
    group.sample_size(10);
    if points.len() <= NAIVE_UP_TO {
        group.bench_function(BenchmarkId::new("naive", name), |b| {
            b.iter(|| turn.next().map(|query| nearby_naive(points, black_box(query))));
        });
    }
    let redis = filled(name, points);
    group.bench_function(BenchmarkId::new("redis", name), |b| {
        b.iter(|| turn.next().map(|query| nearby_redis(&redis, black_box(query))));
    });
}

/// A Redis with the same entities in its GEO index.
fn filled(name: &str, points: &[Point]) -> Redis {
    let redis = Redis::start(name);
    let key = redis.link.store().keys().geo(Kind::Drivers, 0);
    redis.runtime.block_on(async {
        for (piece, points) in points.chunks(1_000).enumerate() {
            let mut cmd = redis::cmd("GEOADD");
            cmd.arg(&key);
            for (i, point) in points.iter().enumerate() {
                cmd.arg(point.lon())
                    .arg(point.lat())
                    .arg(support::id(piece * 1_000 + i).as_str());
            }
            or_exit(redis.link.query::<usize>(&cmd).await);
        }
    });
    redis
}

/// GEOSEARCH over a Unix socket; only ids and distances, where the live index gives whole entities.
fn nearby_redis(Redis { runtime, link, .. }: &Redis, query: &NearbyQuery) -> usize {
    let found = commands::search(link, Kind::Drivers, 0, query.center, query.radius_m, query.limit);
    or_exit(runtime.block_on(found)).len()
}

fn nearby_naive(points: &[Point], query: &NearbyQuery) -> Vec<(f64, usize)> {
    let mut hits: Vec<(f64, usize)> = points
        .iter()
        .enumerate()
        .map(|(n, point)| (distance_m(query.center, *point), n))
        .filter(|(metres, _)| *metres <= query.radius_m)
        .collect();
    hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    hits.truncate(query.limit);
    hits
}

fn within(c: &mut Criterion, name: &str, points: &[Point], index: &LiveIndex) {
    let mut group = c.benchmark_group("within");
    for (shape, half_lat, half_lon) in [("block", 0.005, 0.005), ("thin", 0.2, 0.000_05)] {
        let boxes: Vec<WithinQuery> = points
            .iter()
            .step_by(points.len() / 100)
            .filter_map(|p| {
                let (lat, lon) = (p.lat(), p.lon());
                BoundingBox::new(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat).ok()
            })
            .map(|bounds| WithinQuery {
                bounds,
                limit: 100,
                filter: Filter::default(),
                after: None,
            })
            .collect();
        let mut turn = boxes.iter().cycle();
        group.bench_function(BenchmarkId::new(format!("live_{shape}"), name), |b| {
            b.iter(|| turn.next().map(|query| index.within(black_box(query), NOW)));
        });
        if points.len() <= NAIVE_UP_TO {
            group.bench_function(BenchmarkId::new(format!("naive_{shape}"), name), |b| {
                b.iter(|| {
                    turn.next().map(|query| {
                        let inside = points.iter().filter(|point| query.bounds.contains(**point));
                        inside.take(100).copied().collect::<Vec<Point>>()
                    })
                });
            });
        }
    }
}

/// Batches of 32 random entities, each 10 to 30 metres on; the time is that of a batch, the throughput that of updates.
fn update_index(c: &mut Criterion, name: &str, points: &[Point], index: &LiveIndex) {
    let mut group = c.benchmark_group("update");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut rng = seeded();
    let mut points = points.to_vec();
    let mut time = NOW;
    let mut batch = || -> Vec<Update> {
        time += 1;
        (0..BATCH)
            .map(|_| {
                let n = rand::RngExt::random_range(&mut rng, 0..points.len());
                points[n] = drive(&mut rng, points[n]);
                update(n, points[n], time)
            })
            .collect()
    };
    group.bench_function(BenchmarkId::new("live", name), |b| {
        b.iter_batched_ref(
            &mut batch,
            |batch| index.apply(Origin::Stored, black_box(batch), NOW),
            BatchSize::LargeInput,
        );
    });
}

/// Resident memory of this process, bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

#[expect(clippy::print_stderr, reason = "the bench's report")]
fn report_memory(name: &str, before: usize, index: &LiveIndex) {
    let counted = index.memory_bytes() / index.len();
    eprint!("memory/{name}: {counted} bytes an entity by the index's count");
    if name == SIZES[0].0 {
        let taken = resident().saturating_sub(before) / index.len();
        eprint!(", {taken} by the process's growth");
    }
    eprintln!();
}

fn real_places() -> Option<Vec<Point>> {
    let mut rows = csv::Reader::from_path(env::var_os("CITY_CSV")?).ok()?;
    let header = rows.headers().ok()?.clone();
    let column = |name: &str| header.iter().position(|title| title == name);
    let (lat, lon) = (column("lat")?, column("lon")?);
    let place = |row: csv::StringRecord| Point::new(row.get(lat)?.parse().ok()?, row.get(lon)?.parse().ok()?).ok();
    Some(rows.into_records().filter_map(|row| place(row.ok()?)).collect())
}

fn live_index(c: &mut Criterion) {
    let mut rng = seeded();
    let made = SIZES.iter().map(|(name, count)| (*name, city(&mut rng, *count)));
    let real = real_places().map(|points| ("real", points));
    for (name, points) in made.chain(real) {
        let before = resident();
        let index = index_of(&points);
        report_memory(name, before, &index);
        nearby(c, name, &points, &index);
        within(c, name, &points, &index);
        update_index(c, name, &points, &index);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
    targets = live_index
}
criterion_main!(benches);
