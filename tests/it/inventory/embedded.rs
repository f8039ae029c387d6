//! The embedded Redis, killed under hundreds of clients: acknowledged changes survive, and the books balance.

use super::Stock;
use crate::support::{Answer, Folder, ServiceProcess, answered};
use futures_util::future::{join, join_all};
use nix::sys::signal::{Signal, kill};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 240;
const ROUNDS: usize = 6;
const SKUS: usize = 4;
const ON_HAND: u64 = 400;

/// One request: always repeated with the same key and the same body.
#[derive(Debug, Clone)]
struct Wish {
    key: String,
    sku: String,
    quantity: u64,
}

impl Wish {
    async fn ask(&self, stock: &Stock) -> Answer {
        let path = format!("/v1/inventory/{}/reservations", self.sku);
        let body = json!({"quantity": self.quantity, "ttl_s": 3_600});
        stock.keyed(&path, &self.key, body).await
    }
}

/// The outcome of a wish, as reported to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    Confirmed,
    Released,
    Held,
    Refused,
    /// The client disconnected.
    Nothing,
}

/// The counts of all clients.
#[derive(Default)]
struct Counts {
    done: AtomicUsize,
    unavailable: AtomicUsize,
}

/// Repeats a call until there is an answer, as a correct client does; another client disconnects in the middle.
async fn patiently(counts: &Counts, hangs_up: bool, call: impl AsyncFn() -> Answer) -> Option<Answer> {
    loop {
        let patience = Duration::from_millis(if hangs_up { 3 } else { 30_000 });
        let answer = timeout(patience, call()).await.ok()?;
        if answer.status != 503 {
            return Some(answer);
        }
        counts.unavailable.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(20)).await;
    }
}

async fn client(stock: &Stock, number: usize, counts: &Counts) -> Vec<(Wish, Reported)> {
    let mut random = StdRng::seed_from_u64(number as u64);
    let mut reported = Vec::new();
    for round in 0..ROUNDS {
        let wish = Wish {
            key: format!("c{number}-{round}"),
            sku: format!("seat-{}", random.random_range(0..SKUS)),
            quantity: random.random_range(1..4),
        };
        let outcome = one_wish(stock, &wish, &mut random, counts).await;
        reported.push((wish, outcome));
        counts.done.fetch_add(1, Ordering::Relaxed);
        // With this pause the calls last longer than the outage of Redis.
        sleep(Duration::from_millis(random.random_range(0..200))).await;
    }
    reported
}

async fn one_wish(stock: &Stock, wish: &Wish, random: &mut StdRng, counts: &Counts) -> Reported {
    let hangs_up = random.random_bool(0.1);
    let Some(made) = patiently(counts, hangs_up, || wish.ask(stock)).await else {
        return Reported::Nothing;
    };
    if made.status == 409 {
        assert!(made.body["available"].is_u64(), "{made:?}");
        return Reported::Refused;
    }
    assert_eq!(made.status, 201, "{made:?}");
    let (verb, outcome) = match random.random_range(0..10) {
        0..5 => ("confirm", Reported::Confirmed),
        5..8 => ("release", Reported::Released),
        _ => return Reported::Held,
    };
    let id = made.body["id"].as_str().unwrap();
    let hangs_up = random.random_bool(0.1);
    let Some(ended) = patiently(counts, hangs_up, || stock.to(id, verb)).await else {
        return Reported::Nothing;
    };
    assert_eq!(ended.status, 200, "{ended:?}");
    outcome
}

/// Repeats every wish: its state must be what was reported to its client, and the sums must be those of the items.
async fn balance(stock: &Stock, reported: &[(Wish, Reported)]) {
    let mut reserved: HashMap<&str, u64> = HashMap::new();
    let states = join_all(reported.iter().map(async |(wish, _)| {
        let made = answered(async || wish.ask(stock).await).await;
        if made.status == 409 {
            return "refused".to_owned();
        }
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["id"].as_str().unwrap();
        let now = answered(async || stock.reservation(id).await).await;
        now.body["state"].as_str().unwrap().to_owned()
    }));
    for ((wish, reported), state) in reported.iter().zip(states.await) {
        if ["held", "confirmed"].contains(&&*state) {
            *reserved.entry(&wish.sku).or_default() += wish.quantity;
        }
        let allowed: &[&str] = match reported {
            Reported::Confirmed => &["confirmed"],
            Reported::Released => &["released"],
            Reported::Held => &["held"],
            Reported::Refused => &["refused", "held"],
            Reported::Nothing => &["refused", "held", "confirmed", "released"],
        };
        assert!(allowed.contains(&&*state), "{wish:?} {reported:?}: {state}");
    }
    for n in 0..SKUS {
        let sku = format!("seat-{n}");
        answered(async || stock.item(&sku).await).await;
        let (quantity, taken, available) = stock.counts(&sku).await;
        assert_eq!((quantity, available), (ON_HAND, ON_HAND - taken), "{sku}");
        assert_eq!(taken, reserved.get(&*sku).copied().unwrap_or_default(), "{sku}");
    }
}

#[actix_web::test]
async fn acknowledged_changes_survive_kills_of_redis_and_of_the_service() {
    let folder = Folder::new();
    let flags = [
        folder.flag(),
        "--redis-append-fsync=always".to_owned(),
        "--redis-timeout=500".to_owned(),
    ];
    let service = ServiceProcess::start(&flags).await;
    let stock = Stock(service.drivers());
    for n in 0..SKUS {
        stock.has(&format!("seat-{n}"), ON_HAND).await;
    }
    let counts = Counts::default();
    let clients = join_all((0..CLIENTS).map(|number| client(&stock, number, &counts)));
    let killing = async {
        for third in 1..=2 {
            while counts.done.load(Ordering::Relaxed) < third * CLIENTS * ROUNDS / 3 {
                sleep(Duration::from_millis(5)).await;
            }
            for server in folder.processes() {
                kill(server, Signal::SIGKILL).unwrap();
            }
        }
    };
    let (reported, ()) = join(clients, killing).await;
    let reported: Vec<(Wish, Reported)> = reported.into_iter().flatten().collect();
    let count = |what| reported.iter().filter(|(_, reported)| *reported == what).count();
    assert!(count(Reported::Confirmed) > 200 && count(Reported::Released) > 100 && count(Reported::Nothing) > 20);
    assert!(
        counts.unavailable.load(Ordering::Relaxed) > 20,
        "{:?}",
        counts.unavailable
    );
    // And the service itself, with the restarted server.
    service.kill().await;

    let again = ServiceProcess::start(&flags).await;
    balance(&Stock(again.drivers()), &reported).await;
    assert!(again.terminate().await.success());
}
