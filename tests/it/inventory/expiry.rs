//! Expiry of holds.

use super::books::Books;
use super::{Expected, SOON, Stock, id, inventory, terms, with_settings};
use crate::support::{Scene, eventually};
use fleetpulse::inventory::{InventoryError, InventorySettings, Name, State};
use redis::cmd;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const MOMENT: Duration = Duration::from_millis(30);

#[actix_web::test]
async fn the_next_call_sees_at_once_that_a_hold_has_expired() {
    let scene = Scene::new().await;
    // Without a service, so that no sweep runs in the background.
    let inventory = inventory(&scene).await;
    let sku = id("seat");
    inventory.put(&sku, 1, None, Expected::Any).await.unwrap();
    let short = terms(&[("seat", 1)], MOMENT);
    let made = inventory.reserve(&short, &Name::New).await.unwrap().reservation;
    assert_eq!(inventory.item(&sku).await.unwrap().available(), 0);
    sleep(MOMENT * 2).await;
    let again = inventory.reserve(&short, &Name::New).await.unwrap().reservation;
    let expired = inventory.reservation(&made.id).await.unwrap();
    assert_eq!(
        (expired.state, expired.ended_ms),
        (State::Expired, Some(made.expires_ms))
    );
    sleep(MOMENT * 2).await;
    assert_eq!(inventory.item(&sku).await.unwrap().available(), 1);
    for id in [&made.id, &again.id] {
        let wrong = inventory.release(id).await.unwrap_err();
        assert!(
            matches!(wrong, InventoryError::WrongState { state: State::Expired }),
            "{wrong}"
        );
        let wrong = inventory.extend(id, MOMENT).await.unwrap_err();
        assert!(
            matches!(wrong, InventoryError::WrongState { state: State::Expired }),
            "{wrong}"
        );
    }
    assert_eq!(inventory.item(&sku).await.unwrap().held, 0);
}

#[actix_web::test]
async fn an_idle_item_gets_its_stock_back_within_a_second() {
    let scene = Scene::new().await;
    let _services = (scene.start().await, scene.start().await);
    let inventory = inventory(&scene).await;
    inventory.put(&id("seat"), 4, None, Expected::Any).await.unwrap();
    let made = inventory
        .reserve(&terms(&[("seat", 3)], MOMENT), &Name::New)
        .await
        .unwrap();
    let key = scene
        .keys()
        .inventory_items(fleetpulse::store::Keys::inventory_partition("seat"));
    let over = Instant::now() + MOMENT;
    // Read directly, because scripts would expire it.
    eventually(SOON, "it is swept", async || {
        let item: String = scene.redis.query(cmd("HGET").arg(&key).arg("seat")).await;
        item.starts_with("4 0 0 ").then_some(())
    })
    .await;
    let late = over.elapsed();
    assert!(late < Duration::from_millis(1_500), "{late:?}");
    assert_eq!(
        inventory.reservation(&made.reservation.id).await.unwrap().state,
        State::Expired
    );
}

#[actix_web::test]
async fn an_expired_hold_is_confirmed_if_its_stock_is_available() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let sku = id("driver-1");
    inventory.put(&sku, 1, None, Expected::Any).await.unwrap();
    let offer = terms(&[("driver-1", 1)], MOMENT);
    let first = inventory.reserve(&offer, &Name::New).await.unwrap().reservation.id;
    sleep(MOMENT * 2).await;
    let second = inventory
        .reserve(&terms(&[("driver-1", 1)], Duration::from_mins(1)), &Name::New)
        .await;
    let second = second.unwrap().reservation.id;
    let refused = inventory.confirm(&first).await.unwrap_err();
    assert!(
        matches!(refused, InventoryError::Insufficient { available: 0, .. }),
        "{refused}"
    );
    inventory.release(&second).await.unwrap();
    assert_eq!(inventory.confirm(&first).await.unwrap().state, State::Confirmed);
    let item = inventory.item(&sku).await.unwrap();
    assert_eq!((item.held, item.confirmed), (0, 1));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_thousand_holds_that_expire_together_free_their_stock_at_once() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    // In one partition, so that the holds of the others expire first.
    let group = id("g");
    for sku in ["many", "one"] {
        inventory
            .put(&id(sku), 1_000, Some(&group), Expected::Any)
            .await
            .unwrap();
    }
    inventory
        .reserve(&terms(&[("one", 1_000)], Duration::from_millis(800)), &Name::New)
        .await
        .unwrap();
    let holds = terms(&[("many", 1)], Duration::from_millis(700));
    let all = (0..1_000).map(|_| inventory.reserve(&holds, &Name::New));
    for made in futures_util::future::join_all(all).await {
        made.unwrap();
    }
    let short = terms(&[("one", 1_000)], Duration::from_mins(1));
    let taken = eventually(SOON, "they have expired", async || {
        let before = Instant::now();
        inventory
            .reserve(&short, &Name::New)
            .await
            .ok()
            .map(|made| (made, before.elapsed()))
    })
    .await;
    assert!(taken.1 < Duration::from_millis(500), "{:?}", taken.1);
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!(books.items["many"], (1_000, 0, 0));
}

#[actix_web::test]
async fn ended_reservations_are_deleted_and_active_ones_are_not() {
    let scene = Scene::new().await.with(&["--inventory-keep=1"]);
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let brief = InventorySettings {
        keep_s: 1,
        ..InventorySettings::default()
    };
    let inventory = with_settings(&scene, &brief).await;
    stock.has("seat", 9).await;
    stock.has("gone", 9).await;
    let (released, confirmed) = (stock.hold("seat", 1, 60).await, stock.hold("seat", 1, 60).await);
    let (consumed, orphan) = (stock.hold("seat", 1, 60).await, stock.hold("gone", 1, 60).await);
    let expired = inventory
        .reserve(&terms(&[("seat", 1)], MOMENT), &Name::New)
        .await
        .unwrap()
        .reservation
        .id;
    stock.to(&released, "release").await;
    for id in [&confirmed, &consumed, &orphan] {
        assert_eq!(stock.to(id, "confirm").await.status, 200);
    }
    stock
        .adjust("seat", json!({"delta": -1, "reservation": consumed}))
        .await;
    stock.delete("gone").await;
    for id in [&released, &consumed, &orphan, &expired.as_str().to_owned()] {
        eventually(SOON, "it is forgotten", async || {
            (stock.reservation(id).await.status == 404).then_some(())
        })
        .await;
    }
    assert_eq!(stock.state(&confirmed).await, "confirmed");
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_call_that_expires_holds_does_not_do_other_work_of_the_sweep() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    inventory.put(&id("seat"), 1_000, None, Expected::Any).await.unwrap();
    let short = terms(&[("seat", 1)], MOMENT);
    let all = (0..200).map(|_| inventory.reserve(&short, &Name::New));
    for made in futures_util::future::join_all(all).await {
        made.unwrap();
    }
    let parted = scene
        .keys()
        .inventory_parted(fleetpulse::store::Keys::inventory_partition("seat"));
    scene
        .redis
        .query::<()>(cmd("ZADD").arg(&parted).arg(1).arg("order-1"))
        .await;
    sleep(MOMENT * 2).await;
    assert_eq!(inventory.item(&id("seat")).await.unwrap().available(), 1_000);
    let due: f64 = scene.redis.query(cmd("ZSCORE").arg(&parted).arg("order-1")).await;
    assert!((due - 1.0).abs() < 0.5, "{due}");
}
