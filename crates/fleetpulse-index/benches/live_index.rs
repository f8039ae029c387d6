//! Compares the index with a linear scan of a list, for the same city at the same moment.
//!
//! `cargo bench -p fleetpulse-index`; the memory of an entity is printed first. `CITY_CSV` names a CSV file with `lat` and
//! `lon` columns to measure other places as well.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse_index::Id;
use fleetpulse_index::geo::{BoundingBox, Point, destination, distance_m};
use fleetpulse_index::live::{LiveIndex, Origin, Update};
use fleetpulse_index::model::{Filter, Fix, NearbyQuery, WithinQuery};
use mimalloc::MiMalloc;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::env;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

/// The allocator that the service uses.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The largest comes first, so that its memory is measured before any freed memory can be reused.
const SIZES: [(&str, usize); 3] = [("1M", 1_000_000), ("100k", 100_000), ("10k", 10_000)];
/// Above this number of entities the linear scan takes too long to measure.
const NAIVE_UP_TO: usize = 100_000;
const BATCH: usize = 32;
/// The time of the bench, Unix milliseconds.
const NOW: i64 = 1_700_000_000_000;
/// Long enough for nothing to expire, milliseconds.
const TTL: i64 = 300_000;

/// Returns `count` places in a city of 400 neighbourhoods, of which the n-th has a share of 1/n: as uneven as real cities are.
fn city(rng: &mut StdRng, count: usize) -> Vec<Point> {
    const NEIGHBOURHOODS: usize = 400;
    let Ok(center) = Point::new(40.74, -73.98) else {
        unreachable!("a valid place")
    };
    let mut shares = Vec::with_capacity(NEIGHBOURHOODS);
    let mut sum = 0.0;
    for rank in 1..=NEIGHBOURHOODS {
        sum += 1.0 / f64::from(u16::try_from(rank).unwrap_or(u16::MAX));
        let place = destination(center, rng.random_range(0.0..360.0), rng.random_range(0.0..15_000.0));
        shares.push((sum, place));
    }
    (0..count)
        .map(|_| {
            let drawn = rng.random_range(0.0..sum);
            let (_, place) = shares[shares.partition_point(|(share, _)| *share <= drawn)];
            destination(place, rng.random_range(0.0..360.0), rng.random_range(0.0..400.0))
        })
        .collect()
}

/// Entity `n` as a driver's phone reports it.
fn update(n: usize, point: Point, timestamp_ms: i64) -> Update {
    let Ok(id) = Id::parse(&format!("drv-{n:08}")) else {
        unreachable!("letters, digits and a hyphen are valid")
    };
    let fix = Fix {
        point,
        timestamp_ms,
        received_us: timestamp_ms * 1_000,
        accuracy_m: Some(5.0),
        altitude_m: None,
        speed_mps: Some(8.0),
        heading_deg: Some(90.0),
    };
    Update { id, fix }
}

/// Creates an index with an entity at each place.
fn index_of(points: &[Point]) -> LiveIndex {
    const PIECE: usize = 1_000;
    let index = LiveIndex::new(TTL, usize::MAX);
    for (piece, points) in points.chunks(PIECE).enumerate() {
        let updates: Vec<Update> = (piece * PIECE..)
            .zip(points)
            .map(|(n, point)| update(n, *point, NOW))
            .collect();
        index.apply(Origin::Stored, &updates, NOW);
    }
    index
}

/// Moves a place by 10 to 30 metres, as between two fixes.
fn drive(rng: &mut StdRng, point: Point) -> Point {
    destination(point, rng.random_range(0.0..360.0), rng.random_range(10.0..30.0))
}

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
    // Enough places that the processor's caches cannot hold the data of all of them.
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
    let mut rng = StdRng::seed_from_u64(2);
    let mut points = points.to_vec();
    let mut time = NOW;
    let mut batch = || -> Vec<Update> {
        time += 1;
        (0..BATCH)
            .map(|_| {
                let n = rng.random_range(0..points.len());
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
    let mut rng = StdRng::seed_from_u64(1);
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
