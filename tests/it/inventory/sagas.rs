//! Reservations across groups whose callers, instances and connections fail between the steps.

use super::books::Books;
use super::{Expected, SOON, Stock, apart, at, connect, id, inventory, terms};
use crate::support::{Proxy, Redis, Scene, eventually, now_ms, try_send};
use fleetpulse::inventory::{Inventory, InventoryError, InventorySettings, Name, Reservation, State, Terms};
use fleetpulse::store::Keys;
use futures_util::future::{join, join_all};
use rand::RngExt;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

const CALLERS: u32 = 40;
const ORDERS: u32 = 8;
/// The most times that all of them are made.
const ROUNDS: u32 = 10;

/// Repeats a call until it is answered.
async fn until_done(mut call: impl AsyncFnMut() -> Result<Reservation, InventoryError>) -> Reservation {
    eventually(SOON * 2, "it is done", async || match call().await {
        Ok(done) => Some(done),
        Err(InventoryError::Store(_) | InventoryError::InProgress | InventoryError::Busy) => {
            sleep(Duration::from_millis(20)).await;
            None
        }
        Err(error) => panic!("{error}"),
    })
    .await
}

async fn order(inventory: &Inventory, terms: &Terms, name: String) {
    let name = id(&name);
    until_done(async || {
        let made = inventory.reserve(terms, &Name::Id(name.clone())).await;
        made.map(|made| made.reservation)
    })
    .await;
    until_done(async || inventory.confirm(&name).await).await;
}

#[actix_web::test]
async fn a_step_repeated_after_a_lost_reply_is_executed_once() {
    let scene = Scene::on(Redis::forgetful().await);
    let _sweeping = scene.start().await;
    let direct = inventory(&scene).await;
    let skus = apart("sku", 3);
    for sku in &skus {
        direct.put(&id(sku), 10_000, None, Expected::Any).await.unwrap();
    }
    let goods: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    let all = terms(&goods, Duration::from_secs(2));
    // Which step is cut off is a matter of chance, so it continues until a creation was.
    for round in 1..=ROUNDS {
        join_all((0..CALLERS).map(async |caller| {
            let proxy = Proxy::to(&scene.redis.url()).await;
            let cut_off = at(&proxy.url(), &scene).await;
            sleep(Duration::from_millis(30) * caller).await;
            let orders = (0..ORDERS).map(|number| order(&cut_off, &all, format!("order-{round}-{caller}-{number}")));
            // At some step, and then at others.
            let cutting = async {
                for _ in 0..6 {
                    sleep(Duration::from_micros(rand::rng().random_range(500..15_000))).await;
                    proxy.cut();
                    sleep(Duration::from_millis(5)).await;
                    proxy.mend();
                }
            };
            join(join_all(orders), cutting).await;
        }))
        .await;
        // The parts of reservations that were not created expire with the time of their hold.
        let books = eventually(SOON, "what was cut off is made good", async || {
            let books = Books::read(&scene).await;
            let held = books.items.values().any(|(_, held, _)| *held > 0);
            (!held && books.loose().is_empty()).then_some(books)
        })
        .await;
        books.balance();
        for sku in &skus {
            assert_eq!(
                books.items[sku],
                (10_000, 0, 2 * u64::from(round * CALLERS * ORDERS)),
                "{sku}"
            );
        }
        if books.created_again() > 0 {
            return;
        }
    }
    panic!("no creation was interrupted in {ROUNDS} rounds");
}

/// Confirms or releases orders by an instance that is killed during the calls. Returns the orders that were answered, with the answers.
async fn end_under_a_kill(scene: &Scene, orders: &[String]) -> Vec<(String, Value)> {
    let doomed = scene.start_process().await;
    let api = doomed.drivers();
    let ending = join_all(orders.iter().enumerate().map(async |(n, order)| {
        let verb = if n % 3 == 0 { "release" } else { "confirm" };
        let request = api.request(Method::POST, &format!("/v1/reservations/{order}/{verb}"));
        let answer = try_send(request).await.ok()?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Some((order.clone(), answer.body["state"].clone()))
    }));
    let killing = async {
        sleep(Duration::from_millis(rand::rng().random_range(2..30))).await;
        doomed.kill().await;
    };
    let (answers, ()) = tokio::join!(ending, killing);
    answers.into_iter().flatten().collect()
}

#[actix_web::test]
async fn a_decision_of_a_crashed_instance_is_completed_by_another() {
    let scene = Scene::new().await;
    let survivor = scene.start().await;
    let stock = Stock(survivor.drivers());
    let skus = apart("sku", 2);
    for sku in &skus {
        stock.has(sku, 10_000).await;
    }
    let (mut orders, mut answered) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let made = join_all((0..100).map(async |n| {
            let items: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
            let name = format!("order-{round}-{n}");
            let body = json!({"items": items, "ttl_s": 600, "id": name});
            let made = stock.post("/v1/reservations", body).await;
            assert_eq!(made.status, 201, "{made:?}");
            name
        }));
        let made = made.await;
        answered.extend(end_under_a_kill(&scene, &made).await);
        orders.extend(made);
        if !Books::read(&scene).await.behind().is_empty() {
            break;
        }
    }
    assert!(
        !Books::read(&scene).await.behind().is_empty(),
        "no instance was killed after a decision"
    );
    eventually(SOON, "the other instance completes the reservations", async || {
        Books::read(&scene).await.behind().is_empty().then_some(())
    })
    .await;
    for (order, state) in &answered {
        assert_eq!(stock.state(order).await, *state, "{order}");
    }
    // Undecided orders are unchanged, and clients without an answer repeat the call.
    for order in &orders {
        let ended = stock.to(order, "confirm").await;
        assert!(
            ended.status == 200 || ended.body["state"] == "released",
            "{order}: {ended:?}"
        );
    }
    Books::read(&scene).await.balance();
}

/// Simulates that Redis was unavailable after the decision to confirm this order, for longer than the part in `missing` lasted.
async fn decided_and_cut_off(scene: &Scene, order: &str, missing: &str) {
    let (keys, home) = (scene.keys(), Keys::inventory_partition(order));
    let key = keys.inventory_reservations(home);
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg(order)).await;
    let mut decided = cmd("HSET");
    decided.arg(&key).arg(order).arg(record.replacen('h', "c", 1));
    scene.redis.query::<()>(&decided).await;
    let due = keys.inventory_due(Keys::inventory_partition(missing));
    let holds: Vec<String> = scene.redis.query(cmd("ZRANGE").arg(&due).arg(0).arg(-1)).await;
    let part = holds.iter().find(|hold| hold.contains('/')).unwrap();
    scene.redis.query::<()>(cmd("ZADD").arg(&due).arg(1).arg(part)).await;
}

#[actix_web::test]
async fn a_missing_part_does_not_block_the_others_and_is_retried() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 1, None, Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(10));
    inventory.reserve(&both, &Name::Id(id("order-1"))).await.unwrap();
    decided_and_cut_off(&scene, "order-1", &skus[0]).await;
    let taken = terms(&[(&skus[0], 1)], Duration::from_mins(10));
    let taken = inventory.reserve(&taken, &Name::New).await.unwrap().reservation.id;
    let home = Keys::inventory_partition("order-1");
    let (parted, kept) = (scene.keys().inventory_parted(home), scene.keys().inventory_kept(home));
    let mut look = cmd("ZADD");
    look.arg(&parted).arg(1).arg("order-1");
    scene.redis.query::<()>(&look).await;

    let _service = scene.start().await;
    eventually(SOON, "its check is scheduled for later", async || {
        let next: Option<i64> = scene.redis.query(cmd("ZSCORE").arg(&kept).arg("order-1")).await;
        next.is_some_and(|next| next > now_ms() + 60_000).then_some(())
    })
    .await;
    let books = Books::read(&scene).await;
    assert_eq!((books.items[&skus[0]], books.items[&skus[1]]), ((1, 1, 0), (1, 0, 1)));
    // So the confirmation is not acknowledged.
    let refused = inventory.confirm(&id("order-1")).await;
    assert!(
        matches!(refused, Err(InventoryError::Insufficient { .. })),
        "{refused:?}"
    );
    // The part takes its stock when it is available again.
    inventory.release(&taken).await.unwrap();
    scene.redis.query::<()>(&look).await;
    let books = eventually(SOON, "it is confirmed", async || {
        let books = Books::read(&scene).await;
        (books.items[&skus[0]] == (1, 0, 1)).then_some(books)
    })
    .await;
    books.balance();
    inventory.confirm(&id("order-1")).await.unwrap();
}

/// Returns ids that hash to the same partition.
fn together(home: u16, count: usize) -> Vec<String> {
    let names = (0..).map(|n| format!("order-{n}"));
    names
        .filter(|name| Keys::inventory_partition(name) == home)
        .take(count)
        .collect()
}

#[actix_web::test]
async fn a_decision_does_not_wait_for_thousands_of_deletable_reservations() {
    let scene = Scene::new().await.with(&["--inventory-keep=1"]);
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 10_000, None, Expected::Any).await.unwrap();
    }
    let home = Keys::inventory_partition("order-0");
    let mut orders = together(home, 1_501);
    let last = orders.pop().unwrap();
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(10));
    join_all(orders.iter().map(|name| order(&inventory, &both, name.clone()))).await;
    // All at once, as a day after a peak; half of them in the list that an earlier release used.
    let keys = scene.keys();
    for (n, name) in orders.iter().enumerate() {
        let (parted, kept) = (keys.inventory_parted(home), keys.inventory_kept(home));
        let mut due = cmd("ZADD");
        due.arg(if n % 2 == 0 { &parted } else { &kept }).arg(1).arg(name);
        scene.redis.query::<()>(&due).await;
        if n % 2 == 0 {
            scene.redis.query::<()>(cmd("ZREM").arg(&kept).arg(name)).await;
        }
    }
    // It is decided, and its parts have not followed.
    inventory.reserve(&both, &Name::Id(id(&last))).await.unwrap();
    let key = keys.inventory_reservations(home);
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg(&last)).await;
    let mut decided = cmd("HSET");
    decided.arg(&key).arg(&last).arg(record.replacen('h', "c", 1));
    scene.redis.query::<()>(&decided).await;
    let mut undecided = cmd("ZADD");
    undecided.arg(keys.inventory_parted(home)).arg(now_ms()).arg(&last);
    scene.redis.query::<()>(&undecided).await;

    let _service = scene.start().await;
    eventually(SOON, "its parts follow", async || {
        Books::read(&scene).await.behind().is_empty().then_some(())
    })
    .await;
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn reservations_of_one_hot_item_are_recorded_in_many_partitions() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 1_000, None, Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(10));
    let made = join_all((0..64).map(|_| inventory.reserve(&both, &Name::New))).await;
    let homes: BTreeSet<String> = made
        .into_iter()
        .map(|made| made.unwrap().reservation.id.as_str()[..3].to_owned())
        .collect();
    assert!(homes.len() > 4, "{homes:?}");
    Books::read(&scene).await.balance();
}

/// Simulates that the expired parts in the partition of an item are forgotten.
async fn forget_parts(scene: &Scene, sku: &str) {
    let (keys, partition) = (scene.keys(), Keys::inventory_partition(sku));
    let key = keys.inventory_reservations(partition);
    let parts: Vec<String> = scene.redis.query(cmd("HKEYS").arg(&key)).await;
    for part in parts.iter().filter(|part| part.contains('/')) {
        scene.redis.query::<()>(cmd("HDEL").arg(&key).arg(part)).await;
        for list in [keys.inventory_ended(partition), keys.inventory_due(partition)] {
            scene.redis.query::<()>(cmd("ZREM").arg(list).arg(part)).await;
        }
    }
}

#[actix_web::test]
async fn a_hold_with_a_deleted_part_cannot_be_extended() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let skus = apart("sku", 2);
    for sku in &skus {
        stock.has(sku, 1).await;
    }
    let items: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
    let made = stock
        .post(
            "/v1/reservations",
            json!({"items": items, "ttl_s": 600, "id": "order-1"}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    forget_parts(&scene, &skus[0]).await;
    let refused = stock.to("order-1", "extend").await;
    refused.assert_problem(409, &[]);
    assert_eq!(refused.body["state"], "expired", "{refused:?}");
}

#[actix_web::test]
async fn an_expired_hold_is_confirmed_after_its_parts_are_deleted() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 2, None, Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 2), (&skus[1], 1)], Duration::from_millis(1));
    let order = inventory
        .reserve(&both, &Name::Id(id("order-1")))
        .await
        .unwrap()
        .reservation;
    sleep(Duration::from_millis(5)).await;
    assert_eq!(inventory.reservation(&order.id).await.unwrap().state, State::Expired);
    // The sweep of their partition ran first.
    inventory.item(&id(&skus[0])).await.unwrap();
    forget_parts(&scene, &skus[0]).await;
    // Not while its stock is taken by another reservation.
    let taken = terms(&[(&skus[0], 1)], Duration::from_mins(1));
    let taken = inventory.reserve(&taken, &Name::New).await.unwrap().reservation.id;
    let refused = inventory.confirm(&order.id).await.unwrap_err();
    assert!(
        matches!(refused, InventoryError::Insufficient { available: 1, .. }),
        "{refused}"
    );
    assert_eq!(inventory.item(&id(&skus[1])).await.unwrap().available(), 2);
    inventory.release(&taken).await.unwrap();
    assert_eq!(inventory.confirm(&order.id).await.unwrap().state, State::Confirmed);
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!((books.items[&skus[0]], books.items[&skus[1]]), ((2, 0, 2), (2, 0, 1)));
}

#[actix_web::test]
async fn a_release_is_not_deleted_before_its_parts_are_released() {
    // The retention is shorter than the time until a sweep completes the parts.
    let scene = Scene::new().await.with(&["--inventory-keep=1"]);
    let brief = InventorySettings {
        keep_s: 1,
        ..InventorySettings::default()
    };
    let (_service, proxy) = (scene.start().await, Proxy::to(&scene.redis.url()).await);
    let cut_off = connect(&proxy.url(), &scene, &brief).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        cut_off.put(&id(sku), 1, None, Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(10));
    let order = id("order-1");
    cut_off.reserve(&both, &Name::Id(order.clone())).await.unwrap();
    proxy.keep_back("order-1/");
    let cutting = async {
        proxy.keeps_something().await;
        proxy.cut();
        proxy.let_go().await;
    };
    let (released, ()) = join(cut_off.release(&order), cutting).await;
    assert_eq!(released.unwrap().state, State::Released);
    eventually(SOON * 2, "its stock is back", async || {
        let books = Books::read(&scene).await;
        skus.iter().all(|sku| books.items[sku] == (1, 0, 0)).then_some(())
    })
    .await;
    eventually(SOON, "and it is forgotten", async || {
        (!Books::read(&scene).await.records.contains_key(order.as_str())).then_some(())
    })
    .await;
    Books::read(&scene).await.balance();
}
