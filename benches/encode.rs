//! What crosses the wires as JSON, ours beside the plainest serde on the same fixes: snapshots written and read, answers
//! written, fixes parsed.

use chrono::{DateTime, SecondsFormat};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::tracking::answer::{Form, Found, List};
use fleetpulse::tracking::input::{Clock, parse_batch, parse_fix};
use fleetpulse::tracking::members::Members;
use fleetpulse::tracking::model::{Entity, Hit};
use fleetpulse::tracking::snapshot;
use serde::{Deserialize, Serialize, Serializer};
use std::hint::black_box;
use std::time::Duration;
use support::{city, fix, id, seeded};

mod support;

/// Unix milliseconds.
const NOW: i64 = 1_700_000_000_000;
const CLOCK: Clock = Clock {
    now_ms: NOW,
    ttl_ms: 300_000,
};
/// Different fixes, so that no branch is memorised by the branch predictor.
const FIXES: usize = 1_000;
const HITS: usize = 10;
const BATCH: usize = 500;

/// A snapshot as serde derives it, and as a client sends a fix.
#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    ts_ms: i64,
    id: &'a str,
    lat: f64,
    lon: f64,
    accuracy_m: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<f32>,
    speed_mps: Option<f32>,
    heading_deg: Option<f32>,
}

#[derive(Serialize)]
struct PlainAnswer<'a> {
    results: Vec<PlainHit<'a>>,
    source: &'static str,
    stale: bool,
}

#[derive(Serialize)]
struct PlainHit<'a> {
    id: &'a str,
    lat: f64,
    lon: f64,
    distance_m: f64,
    age_ms: i64,
    #[serde(serialize_with = "rfc3339")]
    timestamp: i64,
    accuracy_m: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude_m: Option<f32>,
    speed_mps: Option<f32>,
    heading_deg: Option<f32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn rfc3339<S: Serializer>(unix_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::from_timestamp_millis(*unix_ms).unwrap_or_default();
    serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A fix as serde derives it, with the names that are understood and nothing checked.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is measured is the reading")]
struct PlainFix<'a> {
    id: Option<&'a str>,
    #[serde(alias = "latitude")]
    lat: f64,
    #[serde(alias = "longitude", alias = "lng")]
    lon: f64,
    timestamp: Option<i64>,
    #[serde(alias = "accuracy")]
    accuracy_m: Option<f32>,
    #[serde(alias = "altitude")]
    altitude_m: Option<f32>,
    #[serde(alias = "speed")]
    speed_mps: Option<f32>,
    #[serde(alias = "heading", alias = "bearing")]
    heading_deg: Option<f32>,
}

fn entities() -> Vec<Entity> {
    let places = city(&mut seeded(), FIXES);
    let entity = |(n, point)| Entity {
        id: id(n),
        fix: fix(point, NOW - i64::try_from(n).unwrap_or(0)),
        profile: None,
    };
    places.into_iter().enumerate().map(entity).collect()
}

fn plain(Entity { id, fix, .. }: &Entity) -> Plain<'_> {
    Plain {
        ts_ms: fix.timestamp_ms,
        id,
        lat: fix.point.lat(),
        lon: fix.point.lon(),
        accuracy_m: fix.accuracy_m,
        altitude_m: fix.altitude_m,
        speed_mps: fix.speed_mps,
        heading_deg: fix.heading_deg,
    }
}

fn write_snapshot(c: &mut Criterion) {
    let entities = entities();
    let (mut turn, mut json) = (entities.iter().cycle(), Vec::with_capacity(512));
    let mut group = c.benchmark_group("snapshot_write");
    group.bench_function("ours", |b| {
        b.iter(|| {
            json.clear();
            if let Some(entity) = turn.next() {
                snapshot::write(&mut json, &entity.id, &entity.fix);
            }
            json.len()
        });
    });
    group.bench_function("serde", |b| {
        b.iter(|| {
            json.clear();
            turn.next()
                .map(|entity| serde_json::to_writer(&mut json, &plain(entity)))
        });
    });
}

fn read_snapshot(c: &mut Criterion) {
    let texts: Vec<Vec<u8>> = entities()
        .iter()
        .map(|Entity { id, fix, .. }| {
            let mut json = Vec::new();
            snapshot::write(&mut json, id, fix);
            json
        })
        .collect();
    let mut turn = texts.iter().cycle();
    let mut group = c.benchmark_group("snapshot_read");
    group.bench_function("ours", |b| {
        b.iter(|| turn.next().map(|json| snapshot::read(black_box(json))));
    });
    group.bench_function("serde", |b| {
        b.iter(|| {
            turn.next()
                .map(|json| black_box(serde_json::from_slice::<Plain<'_>>(black_box(json)).is_ok()))
        });
    });
}

fn write_answer(c: &mut Criterion) {
    let hits: Vec<Hit> = entities()
        .into_iter()
        .enumerate()
        .map(|(n, entity)| Hit {
            entity,
            distance_m: f64::from(u16::try_from(n).unwrap_or(0)) * 1.234_567,
        })
        .collect();
    let mut turn = hits.chunks_exact(HITS).cycle();
    let mut group = c.benchmark_group("answer_write");
    group.bench_function(BenchmarkId::new("ours", HITS), |b| {
        b.iter(|| {
            turn.next().map(|hits| {
                let view = List {
                    found: Found::Hits(black_box(hits)),
                    source: "live",
                    stale: false,
                    truncated: None,
                    cursor: None,
                    now_ms: NOW,
                    form: Form::Json,
                    members: Members::default(),
                    most_bytes: usize::MAX,
                };
                view.to_json()
            })
        });
    });
    group.bench_function(BenchmarkId::new("serde", HITS), |b| {
        b.iter(|| {
            turn.next()
                .map(|hits| serde_json::to_vec(&plain_answer(black_box(hits))))
        });
    });
}

fn plain_answer(hits: &[Hit]) -> PlainAnswer<'_> {
    PlainAnswer {
        results: hits.iter().map(plain_hit).collect(),
        source: "live",
        stale: false,
    }
}

fn plain_hit(Hit { entity, distance_m }: &Hit) -> PlainHit<'_> {
    PlainHit {
        id: &entity.id,
        lat: entity.fix.point.lat(),
        lon: entity.fix.point.lon(),
        distance_m: *distance_m,
        age_ms: NOW - entity.fix.timestamp_ms,
        timestamp: entity.fix.timestamp_ms,
        accuracy_m: entity.fix.accuracy_m,
        altitude_m: entity.fix.altitude_m,
        speed_mps: entity.fix.speed_mps,
        heading_deg: entity.fix.heading_deg,
    }
}

/// One fix as the body of a POST, and a batch of them. Ours also says what is wrong with a field, takes a time in any of
/// its forms, refuses a name given twice and checks every range.
fn parse(c: &mut Criterion) {
    let entities = entities();
    let bodies: Vec<String> = entities.iter().map(body).collect();
    let mut turn = bodies.iter().zip(&entities).cycle();
    let mut group = c.benchmark_group("fix_parse");
    group.bench_function("ours", |b| {
        b.iter(|| {
            turn.next()
                .map(|(body, of)| parse_fix(black_box(body.as_bytes()), &of.id, CLOCK))
        });
    });
    group.bench_function("serde", |b| {
        b.iter(|| {
            turn.next()
                .map(|(body, _)| black_box(serde_json::from_slice::<PlainFix<'_>>(black_box(body.as_bytes())).is_ok()))
        });
    });
    let batch = format!("[{}]", bodies[..BATCH].join(","));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new("ours", BATCH), |b| {
        b.iter(|| parse_batch(black_box(batch.as_bytes()), CLOCK));
    });
    group.bench_function(BenchmarkId::new("serde", BATCH), |b| {
        b.iter(|| black_box(serde_json::from_slice::<Vec<PlainFix<'_>>>(black_box(batch.as_bytes())).is_ok()));
    });
}

fn body(Entity { id, fix, .. }: &Entity) -> String {
    format!(
        r#"{{"id":"{id}","lat":{:.6},"lon":{:.6},"timestamp":{},"accuracy_m":5.0,"speed_mps":8.3,"heading_deg":119.0}}"#,
        fix.point.lat(),
        fix.point.lon(),
        fix.timestamp_ms
    )
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
    targets = write_snapshot, read_snapshot, write_answer, parse
}
criterion_main!(benches);
