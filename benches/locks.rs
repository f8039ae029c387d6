//! A lock taken and released, beside the bare commands that do so without a fence, a queue, or repeats that are answered
//! alike: `SET NX PX` and an `EVALSHA` that compares and deletes. The same connection and server, one after the other and
//! many at once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::ids::Id;
use fleetpulse::locks::{LockSettings, Locks, Token, Wakeups, Wanted};
use fleetpulse::store::{Link, Script};
use futures_util::future::join_all;
use ground::or_exit;
use redis_server::Redis;
use std::time::Duration;

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

const AT_ONCE: [usize; 2] = [1, 64];
const TTL: Duration = Duration::from_secs(30);
const COMPARE_AND_DELETE: &str = "-- KEYS[1] lock\n-- ARGV[1] token\n\
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

async fn ours(locks: &Locks, name: &Id) {
    let grant = or_exit(locks.grant(name, &Wanted::lasting(TTL)).await);
    or_exit(locks.release(name, &grant.token).await);
}

async fn bare(link: &Link, release: &Script, name: &Id) {
    let key = format!("bare:{name}");
    let token = Token::random();
    let mut set_nx = redis::cmd("SET");
    set_nx.arg(&key).arg(token.as_str()).arg("NX").arg("PX").arg(30_000);
    let set: Option<String> = or_exit(link.query(&set_nx).await);
    let mut call = release.call(1, 2, 128);
    call.arg(&key).arg(token.as_str());
    let released: u64 = or_exit(link.run(release, &call).await);
    assert!(set.is_some() && released == 1, "each is on its own lock");
}

fn locks(c: &mut Criterion) {
    let redis = Redis::start("locks");
    let link = &redis.link;
    let wakeups = redis.runtime.block_on(async { Wakeups::listen(link.store()) });
    let locks = Locks::new(link.clone(), wakeups, LockSettings::default());
    let release = Script::new("compare_and_delete", "", COMPARE_AND_DELETE);
    let names: Vec<Id> = (0..64).map(|n| or_exit(Id::parse(&format!("dock:{n}")))).collect();
    let mut group = c.benchmark_group("locks");
    for at_once in AT_ONCE {
        let names = &names[..at_once];
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(BenchmarkId::new("acquire_release", at_once), |b| {
            b.iter(|| {
                let all = names.iter().map(|name| ours(&locks, name));
                redis.runtime.block_on(join_all(all))
            });
        });
        group.bench_function(BenchmarkId::new("bare", at_once), |b| {
            b.iter(|| {
                let all = names.iter().map(|name| bare(link, &release, name));
                redis.runtime.block_on(join_all(all))
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
    targets = locks
}
criterion_main!(benches);
