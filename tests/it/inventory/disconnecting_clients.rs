//! Clients that disconnect while stock is taken for them over slow connections to Redis, and thousands of reservations that can be
//! forgotten at once, while other clients stay connected: each of these has the reservations that were acknowledged to it.

use super::books::Books;
use super::{Expected, SOON, Stock, apart, id, inventory, terms};
use crate::support::{AbandonedPost, DisconnectingClients, Scene, eventually, now_ms};
use fleetpulse::inventory::{Inventory, Name};
use fleetpulse::store::Keys;
use futures_util::future::join_all;
use rand::RngExt;
use redis::cmd;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::join;
use tokio::time::{sleep, timeout};

const DISCONNECTING: Duration = Duration::from_secs(4);
const CLIENTS: usize = 20;
const ON_HAND: u64 = 100_000;
/// Reservations that can be deleted while the clients work.
const RECORDS: usize = 1_200;
/// It has a quantity of one, so that a hold of a disconnected client stops the others.
const SCARCE: &str = "scarce";

/// The quantities that were confirmed to clients that stay, by SKU.
type Confirmed = RefCell<BTreeMap<String, u64>>;

/// Returns the path and the body of a reservation whose id the service generates.
fn unnamed(skus: &[String], ttl_s: u64) -> (String, Value) {
    match skus {
        [sku] => (
            format!("/v1/inventory/{sku}/reservations"),
            json!({"quantity": 1, "ttl_s": ttl_s}),
        ),
        skus => {
            let items: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
            ("/v1/reservations".to_owned(), json!({"items": items, "ttl_s": ttl_s}))
        }
    }
}

/// A client that stays: its reservations exist until it releases them.
async fn stays(stock: &Stock, wishes: &[Vec<String>], until: Instant, confirmed: &Confirmed) {
    while Instant::now() < until {
        let skus = &wishes[rand::rng().random_range(0..wishes.len())];
        let (path, body) = unnamed(skus, 60);
        let made = stock.post(&path, body).await;
        if made.status == 409 && skus[0] == SCARCE {
            sleep(Duration::from_millis(10)).await;
            continue;
        }
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["id"].as_str().unwrap();
        let verbs: &[&str] = match rand::rng().random_range(0..4) {
            _ if skus[0] == SCARCE => &["release"],
            0 => &["extend", "confirm"],
            1 => &["confirm", "return"],
            2 => &["release"],
            _ => &["confirm"],
        };
        for verb in verbs {
            let answer = stock.to(id, verb).await;
            assert_eq!(answer.status, 200, "{verb}: {answer:?}");
        }
        if verbs.last() == Some(&"confirm") {
            for sku in skus {
                *confirmed.borrow_mut().entry(sku.clone()).or_default() += 1;
            }
        }
    }
}

/// Creates reservations that can all be forgotten at once, as a day after a peak, and one that is decided and whose parts have not
/// followed. Returns that one.
async fn rush(scene: &Scene, inventory: &Inventory, skus: &[String]) -> String {
    let home = Keys::inventory_partition("order-0");
    let mut orders = (0..).map(|n| format!("order-{n}"));
    let mut next = || orders.find(|name| Keys::inventory_partition(name) == home).unwrap();
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(10));
    let names: Vec<String> = (0..RECORDS).map(|_| next()).collect();
    join_all(names.iter().map(async |name| {
        let name = id(name);
        inventory.reserve(&both, &Name::Id(name.clone())).await.unwrap();
        inventory.confirm(&name).await.unwrap();
    }))
    .await;
    let (parted, kept) = (scene.keys().inventory_parted(home), scene.keys().inventory_kept(home));
    let mut all = cmd("ZADD");
    all.arg(&kept);
    for name in &names {
        all.arg(1).arg(name);
    }
    scene.redis.query::<()>(&all).await;
    let last = next();
    inventory.reserve(&both, &Name::Id(id(&last))).await.unwrap();
    let key = scene.keys().inventory_reservations(home);
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg(&last)).await;
    let mut decided = cmd("HSET");
    decided.arg(&key).arg(&last).arg(record.replacen('h', "c", 1));
    scene.redis.query::<()>(&decided).await;
    let mut undecided = cmd("ZADD");
    undecided.arg(&parted).arg(now_ms()).arg(&last);
    scene.redis.query::<()>(&undecided).await;
    last
}

#[actix_web::test]
async fn disconnecting_clients_on_slow_connections_hold_no_stock() {
    let scene = Scene::new().await.with(&["--inventory-keep=1"]);
    let api = inventory(&scene).await;
    let apart = apart("sku", 3);
    for sku in &apart {
        api.put(&id(sku), ON_HAND, None, Expected::Any).await.unwrap();
    }
    for sku in ["a", "b"] {
        api.put(&id(sku), ON_HAND, Some(&id("g")), Expected::Any).await.unwrap();
    }
    api.put(&id(SCARCE), 1, None, Expected::Any).await.unwrap();
    let last = rush(&scene, &api, &apart).await;

    let (service, disconnecting) = (scene.start().await, DisconnectingClients::beside(&scene).await);
    let stock = Stock(service.drivers());
    let wishes: Vec<Vec<String>> = vec![
        vec![SCARCE.to_owned()],
        vec![apart[0].clone()],
        vec!["a".to_owned(), "b".to_owned()],
        apart.clone(),
        vec![apart[2].clone(), "a".to_owned()],
    ];
    let confirmed = Confirmed::default();
    let until = Instant::now() + DISCONNECTING;
    let staying = join_all((0..CLIENTS).map(|_| stays(&stock, &wishes, until, &confirmed)));
    let leaving = |_round| {
        let wishes = wishes.iter().flat_map(|skus| [skus, skus]);
        wishes
            .map(|skus| {
                let (path, body) = unnamed(skus, 600);
                AbandonedPost::new(path, body)
            })
            .collect()
    };
    let finishing = eventually(SOON, "decided reservations are finished in the meantime", async || {
        let behind = Books::read(&scene).await.behind();
        (!behind.iter().any(|line| line.contains(&last))).then_some(())
    });
    let (left, _, ()) = join!(disconnecting.storm(DISCONNECTING, leaving), staying, finishing);
    assert!(left > 50, "{left}");
    let last = RefCell::new(String::new());
    let ending = timeout(SOON * 4, async {
        loop {
            let books = Books::read(&scene).await;
            let is_held = books.items.values().any(|(_, held, _)| *held > 0);
            if !is_held && books.loose().is_empty() {
                return books;
            }
            last.replace(format!("{:?}, {:#?}", books.items, books.loose()));
            sleep(Duration::from_millis(50)).await;
        }
    });
    // Parts of reservations that were not created last 30 s.
    let Ok(books) = ending.await else {
        panic!("disconnected clients still hold something: {}", last.into_inner());
    };
    books.balance();
    let confirmed = confirmed.into_inner();
    assert!(confirmed.values().sum::<u64>() > 100, "{confirmed:?}");
    for (sku, (_, _, sold)) in &books.items {
        let rushed = if *sku == apart[0] || *sku == apart[1] {
            RECORDS + 1
        } else {
            0
        };
        let expected = confirmed.get(sku).copied().unwrap_or_default() + rushed as u64;
        assert_eq!(*sold, expected, "{sku}");
    }
    stock.hold(SCARCE, 1, 60).await;
}
