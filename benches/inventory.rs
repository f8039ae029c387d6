//! Reserve and confirm on one item of a real Redis: the Rust interface under 256 callers at once, whose calls share script
//! calls automatically, beside as many callers that each send the bare `EVALSHA` of the least that it takes: check, count and
//! write a hash, without ids, ends, idempotency and events. One element is a pair of both calls.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetpulse::ids::Id;
use fleetpulse::inventory::{Expected, Goods, Inventory, InventorySettings, Name, Terms};
use fleetpulse::store::Link;
use futures_util::future::join_all;
use ground::or_exit;
use redis_server::Redis;
use std::time::Duration;

#[path = "support/ground.rs"]
mod ground;
#[path = "support/redis_server.rs"]
mod redis_server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLERS: usize = 256;
/// Pairs of one caller in a round.
const PAIRS: usize = 8;
const STOCK: u64 = 1 << 50;

/// A minimal reservation: available stock goes to what is held, and from there to what is confirmed.
const RESERVE: &str = "local q, h, c = unpack(redis.call('HMGET', KEYS[1], 'q', 'h', 'c')) \
    if q - (h or 0) - (c or 0) < 1 then return 0 end return redis.call('HINCRBY', KEYS[1], 'h', 1)";
const CONFIRM: &str = "redis.call('HINCRBY', KEYS[1], 'h', -1) return redis.call('HINCRBY', KEYS[1], 'c', 1)";

fn sku() -> Id {
    let Ok(sku) = Id::parse("seat") else {
        unreachable!("letters are valid")
    };
    sku
}

async fn by_inventory(inventory: &Inventory, callers: usize) {
    let terms = Terms {
        ttl: Duration::from_mins(2),
        owner: None,
        goods: vec![Goods {
            sku: sku(),
            quantity: 1,
        }],
    };
    let caller = async || {
        for _ in 0..PAIRS {
            let made = or_exit(inventory.reserve(&terms, &Name::New).await);
            or_exit(inventory.confirm(&made.reservation.id).await);
        }
    };
    join_all((0..callers).map(|_| caller())).await;
}

/// The bare scripts by their hashes.
struct Bare {
    reserve: String,
    confirm: String,
}

impl Bare {
    async fn load(link: &Link) -> Self {
        let load = async |source: &str| or_exit(link.query(redis::cmd("SCRIPT").arg("LOAD").arg(source)).await);
        or_exit(
            link.query::<()>(redis::cmd("HSET").arg("bare").arg("q").arg(STOCK))
                .await,
        );
        Self {
            reserve: load(RESERVE).await,
            confirm: load(CONFIRM).await,
        }
    }

    async fn run(&self, link: &Link, callers: usize) {
        let call = async |sha: &str| {
            let mut cmd = redis::cmd("EVALSHA");
            cmd.arg(sha).arg(1).arg("bare");
            or_exit(link.query::<u64>(&cmd).await);
        };
        let caller = async || {
            for _ in 0..PAIRS {
                call(&self.reserve).await;
                call(&self.confirm).await;
            }
        };
        join_all((0..callers).map(|_| caller())).await;
    }
}

fn reserve_and_confirm(c: &mut Criterion) {
    let redis = Redis::start("inventory");
    let (inventory, bare) = redis.runtime.block_on(async {
        let inventory = Inventory::start(&redis.link, &InventorySettings::default());
        or_exit(inventory.put(&sku(), STOCK, None, Expected::Any).await);
        (inventory, Bare::load(&redis.link).await)
    });
    let mut group = c.benchmark_group("reserve_and_confirm");
    for callers in [1, CALLERS] {
        group.throughput(Throughput::Elements((callers * PAIRS) as u64));
        group.bench_function(format!("inventory/{callers}"), |b| {
            b.iter(|| redis.runtime.block_on(by_inventory(&inventory, callers)));
        });
        group.bench_function(format!("bare_evalsha/{callers}"), |b| {
            b.iter(|| redis.runtime.block_on(bare.run(&redis.link, callers)));
        });
    }
    group.finish();
    // Its task ends on the runtime that it runs on.
    redis.runtime.block_on(async { drop(inventory) });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(20);
    targets = reserve_and_confirm
}
criterion_main!(benches);
