//! The cache's two levels: a hit in the process; hits in Redis, one after the other and many at once, beside the bare `GET` of
//! the same bytes over the same connection, which knows no invalidation.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::cache::{Cache, CacheMetrics, CacheSettings, Level, Made, Policy, Put, Shared, Source};
use fleetpulse::ids::Id;
use fleetpulse::store::Link;
use fleetpulse::telemetry::MetricsRegistry;
use futures_util::FutureExt;
use futures_util::future::join_all;
use ground::or_exit;
use redis_server::Redis;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;
use tokio::task::LocalSet;

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AT_ONCE: [usize; 2] = [1, 64];
const VALUE: &[u8] = &[b'7'; 200];

async fn bare(link: &Link, key: &str) {
    let mut get = redis::cmd("GET");
    get.arg(key);
    let value: Vec<u8> = or_exit(link.query(&get).await);
    assert_eq!(value.len(), VALUE.len());
}

async fn found(cache: &Cache, namespace: &Id, key: &str) {
    let entry = or_exit(cache.get_bytes(namespace, key).await);
    assert!(entry.is_some_and(|entry| entry.level == Level::Shared));
}

async fn made() -> Result<Made, Infallible> {
    Ok(Made {
        bytes: Bytes::from_static(VALUE),
        put: None,
    })
}

fn cache(c: &mut Criterion) {
    let redis = Redis::start("cache");
    let (link, runtime) = (&redis.link, &redis.runtime);
    let settings = CacheSettings {
        local_ttl_ms: 60_000,
        ..CacheSettings::default()
    };
    let metrics = or_exit(CacheMetrics::register(&MetricsRegistry::default()));
    let cache = runtime.block_on(async { Cache::new(link.clone(), Shared::new(link.store(), settings, &metrics)) });
    let id = |text: &str| or_exit(Id::parse(text));
    let (prices, tag) = (id("prices"), id("product:7"));
    let keys: Vec<String> = (0..64).map(|n| format!("product-{n:08}/eur")).collect();
    let put = Put::fresh_for(Duration::from_hours(1));
    let local = put.clone().kept_locally(Duration::from_hours(1)).tagged([tag.clone()]);
    let kept = id("kept");
    runtime.block_on(async {
        for key in &keys {
            or_exit(cache.store(&prices, key, VALUE, &put, None).await);
            let mut set = redis::cmd("SET");
            set.arg(format!("bare:{key}")).arg(VALUE);
            or_exit(link.query::<()>(&set).await);
        }
        or_exit(cache.store(&kept, &keys[0], VALUE, &local, None).await);
        // Until the process is subscribed to invalidations, and so answers from its memory.
        while or_exit(cache.get_bytes(&kept, &keys[0]).await).is_none_or(|entry| entry.level == Level::Shared) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });

    let mut group = c.benchmark_group("cache");
    group.bench_function("local_hit", |b| {
        // A hit awaits nothing: its future is ready at the first poll. Once a minute the entry expires and is read again.
        b.iter(|| {
            let hit = cache.get_bytes(&kept, &keys[0]);
            let mut hit = pin!(hit);
            match hit.as_mut().now_or_never() {
                Some(entry) => drop(black_box(or_exit(entry))),
                None => drop(runtime.block_on(hit)),
            }
        });
    });
    let policy = Policy::new(local);
    group.bench_function("get_or_compute_local_hit", |b| {
        b.iter(|| {
            let hit = cache.fetch(&kept, &keys[0], &policy, made);
            let mut hit = pin!(hit);
            match hit.as_mut().now_or_never() {
                Some(fetched) => drop(black_box(or_exit(fetched))),
                None => drop(LocalSet::new().block_on(runtime, hit)),
            }
        });
    });
    for at_once in AT_ONCE {
        let keys = &keys[..at_once];
        let bare_keys: Vec<String> = keys.iter().map(|key| format!("bare:{key}")).collect();
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(BenchmarkId::new("shared_hit", at_once), |b| {
            b.iter(|| runtime.block_on(join_all(keys.iter().map(|key| found(&cache, &prices, key)))));
        });
        group.bench_function(BenchmarkId::new("bare_get", at_once), |b| {
            b.iter(|| runtime.block_on(join_all(bare_keys.iter().map(|key| bare(link, key)))));
        });
        let policy = Policy::new(put.clone());
        let tasks = LocalSet::new();
        group.bench_function(BenchmarkId::new("get_or_compute_hit", at_once), |b| {
            let fetch = async |key: &String| {
                let fetched = or_exit(cache.fetch(&prices, key, &policy, made).await);
                assert_eq!(fetched.source, Source::Fresh(Level::Shared));
            };
            b.iter(|| tasks.block_on(runtime, join_all(keys.iter().map(&fetch))));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = cache
}
criterion_main!(benches);
