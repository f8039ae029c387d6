//! Several items at once: in one group, and across groups.

use super::books::Books;
use super::{Stock, apart, id, inventory, terms};
use crate::support::{Scene, eventually};
use fleetpulse::inventory::{Goods, InventoryError, Name};
use redis::cmd;
use serde_json::{Value, json};
use std::time::Duration;

fn wish(items: &[(&str, u64)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity}))
        .collect();
    json!({"items": items, "ttl_s": 60, "owner": "rider-7"})
}

#[actix_web::test]
async fn items_of_a_group_are_reserved_together_or_not_at_all() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (stock, other) = (Stock(one.drivers()), Stock(two.drivers()));
    for (sku, quantity) in [("seat", 5), ("bike", 1), ("bag", 5)] {
        let made = stock
            .put(sku, json!({"quantity": quantity, "group": "shuttle-7"}))
            .await;
        assert_eq!(
            (made.status, &made.body["group"]),
            (201, &json!("shuttle-7")),
            "{made:?}"
        );
    }
    // The other instance has not cached the group.
    let made = other.post("/v1/reservations", wish(&[("seat", 2), ("bike", 1)])).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    let short = stock
        .post("/v1/reservations", wish(&[("bag", 1), ("bike", 1), ("seat", 1)]))
        .await;
    short.assert_problem(409, &[]);
    assert_eq!(
        (&short.body["sku"], &short.body["available"]),
        (&json!("bike"), &json!(0))
    );
    assert_eq!(stock.counts("bag").await, (5, 0, 5));
    // One script, one record.
    assert_eq!(
        Books::read(&scene).await.states.into_iter().collect::<Vec<_>>(),
        [(('h', false), 1)]
    );

    assert_eq!(stock.to(id, "release").await.status, 200);
    assert_eq!(other.counts("bike").await, (1, 0, 1));
    let missing = other
        .post("/v1/reservations", wish(&[("seat", 1), ("nothing", 1)]))
        .await;
    missing.assert_problem(404, &[]);
    assert_eq!(missing.body["sku"], "nothing");
    assert_eq!(other.counts("seat").await, (5, 0, 5));
}

#[actix_web::test]
async fn an_item_keeps_its_group() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let made = stock.put("seat", json!({"quantity": 1, "group": "g-1"})).await;
    let version = made.body["version"].as_u64().unwrap();
    let other = stock.put("seat", json!({"quantity": 1, "group": "g-2"})).await;
    other.assert_problem(409, &[]);
    assert_eq!(other.body["group"], "g-1");
    // A call that does not name the group applies to the same item.
    let set = stock.put("seat", json!({"quantity": 7})).await;
    assert_eq!(
        (set.status, &set.body["group"], &set.body["version"]),
        (200, &json!("g-1"), &json!(version + 1))
    );
    stock.has("alone", 1).await;
    stock
        .put("alone", json!({"quantity": 1, "group": "g-1"}))
        .await
        .assert_problem(409, &[]);

    stock.delete("seat").await;
    stock.item("seat").await.assert_problem(404, &[]);
    let ends: i64 = scene
        .redis
        .query(cmd("PTTL").arg(scene.keys().inventory_group(&id("seat"))))
        .await;
    assert!(ends > 0, "{ends}");
    stock.put("seat", json!({"quantity": 1, "group": "g-1"})).await;
    let ends: i64 = scene
        .redis
        .query(cmd("PTTL").arg(scene.keys().inventory_group(&id("seat"))))
        .await;
    assert_eq!(ends, -1);

    // A change that is refused claims nothing.
    stock
        .put("never", json!({"quantity": 1, "group": "g-3", "version": 5}))
        .await
        .assert_problem(409, &[]);
    let ends: i64 = scene
        .redis
        .query(cmd("PTTL").arg(scene.keys().inventory_group(&id("never"))))
        .await;
    assert_eq!(ends, -2);
}

#[actix_web::test]
async fn across_groups_all_items_are_reserved_or_none_stays_reserved() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let skus = apart("sku", 3);
    let all = |quantity: u64| -> Vec<(&str, u64)> { skus.iter().map(|sku| (sku.as_str(), quantity)).collect() };
    for sku in &skus {
        stock.has(sku, 5).await;
    }
    let made = stock.post("/v1/reservations", wish(&all(2))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(stock.reservation(id).await.body, made.body);
    stock.adjust(&skus[2], json!({"delta": -2})).await;
    let short = stock.post("/v1/reservations", wish(&all(2))).await;
    short.assert_problem(409, &[]);
    assert_eq!(
        (&short.body["sku"], &short.body["available"]),
        (&json!(skus[2]), &json!(1))
    );
    assert_eq!(stock.counts(&skus[0]).await, (5, 2, 3));
    Books::read(&scene).await.balance();

    let extended = stock.to(id, "extend").await;
    assert!(
        extended.body["expires_at"].as_str() > made.body["expires_at"].as_str(),
        "{extended:?}"
    );
    let confirmed = stock.to(id, "confirm").await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("confirmed")));
    assert_eq!(stock.to(id, "confirm").await, confirmed);
    stock.to(id, "release").await.assert_problem(409, &[]);
    for sku in &skus {
        assert_eq!(stock.counts(sku).await.1, 2);
    }
    let books = Books::read(&scene).await;
    books.balance();
    assert_eq!((books.states[&('c', false)], books.states[&('c', true)]), (3, 1));
    for sku in &skus {
        let left = stock.adjust(sku, json!({"delta": -2, "reservation": id})).await;
        assert_eq!((left.status, &left.body["reserved"]), (200, &json!(0)), "{left:?}");
    }
}

#[actix_web::test]
async fn a_key_across_groups_means_one_reservation() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (stock, other) = (Stock(one.drivers()), Stock(two.drivers()));
    let skus = apart("sku", 2);
    for sku in &skus {
        stock.has(sku, 9).await;
    }
    let body = wish(&[(&skus[0], 1), (&skus[1], 2)]);
    let made = stock.keyed("/v1/reservations", "k-1", body.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    // The order of the items has no effect.
    let turned = wish(&[(&skus[1], 2), (&skus[0], 1)]);
    assert_eq!(
        other.keyed("/v1/reservations", "k-1", turned).await.body["id"],
        made.body["id"]
    );
    for different in [wish(&[(&skus[0], 1)]), wish(&[(&skus[0], 1), (&skus[1], 3)])] {
        other
            .keyed("/v1/reservations", "k-1", different)
            .await
            .assert_problem(422, &["/Idempotency-Key"]);
    }
    assert_eq!((stock.counts(&skus[0]).await.1, stock.counts(&skus[1]).await.1), (1, 2));
    stock.to(made.body["id"].as_str().unwrap(), "release").await;
    assert_eq!(stock.keyed("/v1/reservations", "k-1", body).await.body, made.body);
    assert_eq!((stock.counts(&skus[0]).await.1, stock.counts(&skus[1]).await.1), (0, 0));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn across_groups_an_expired_hold_is_confirmed_if_all_its_stock_is_available() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 2, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 2), (&skus[1], 2)], Duration::from_millis(1));
    let first = inventory.reserve(&both, &Name::New).await.unwrap().reservation.id;
    let second = inventory.reserve(&both, &Name::New).await;
    let second = second.unwrap().reservation.id;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(inventory.reservation(&first).await.unwrap().state.as_str(), "expired");
    let confirmed = inventory.confirm(&second).await.unwrap();
    assert_eq!(confirmed.state.as_str(), "confirmed");
    let refused = inventory.confirm(&first).await.unwrap_err();
    assert!(
        matches!(refused, InventoryError::Insufficient { available: 0, .. }),
        "{refused}"
    );
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_refused_late_confirmation_keeps_no_stock() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 2, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 2), (&skus[1], 2)], Duration::from_millis(1));
    let late = inventory.reserve(&both, &Name::New).await.unwrap().reservation.id;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let sold = terms(&[(&skus[1], 1)], Duration::from_mins(1));
    let sold = inventory.reserve(&sold, &Name::New).await.unwrap().reservation.id;
    for _ in 0..3 {
        let refused = inventory.confirm(&late).await.unwrap_err();
        assert!(
            matches!(refused, InventoryError::Insufficient { available: 1, .. }),
            "{refused}"
        );
        assert_eq!(inventory.item(&id(&skus[0])).await.unwrap().available(), 2);
    }
    inventory.release(&sold).await.unwrap();
    assert_eq!(inventory.confirm(&late).await.unwrap().state.as_str(), "confirmed");
    Books::read(&scene).await.balance();
}

/// Replaces the list of undecided reservations by a key of another type, so that a decision cannot be written to it.
async fn no_decisions(scene: &Scene, home: u16) {
    let mut set = cmd("SET");
    set.arg(scene.keys().inventory_parted(home)).arg("broken");
    scene.redis.query::<()>(&set).await;
}

#[actix_web::test]
async fn a_reservation_that_fails_at_its_last_step_keeps_no_stock_and_its_key_can_be_reused() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 1, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_hours(100));
    let name = Name::Id(id("order-1"));
    let home = fleetpulse::store::Keys::inventory_partition("order-1");
    no_decisions(&scene, home).await;
    inventory.reserve(&both, &name).await.unwrap_err();
    for sku in &skus {
        assert_eq!(inventory.item(&id(sku)).await.unwrap().available(), 1);
    }
    scene
        .redis
        .query::<()>(cmd("DEL").arg(scene.keys().inventory_parted(home)))
        .await;
    let made = inventory.reserve(&both, &name).await.unwrap();
    assert!(!made.before);
    // The parts last as long as their record, and nothing is left to complete.
    Books::read(&scene).await.balance();
    let parted: usize = scene
        .redis
        .query(cmd("ZCARD").arg(scene.keys().inventory_parted(home)))
        .await;
    assert_eq!(parted, 0);
}

#[actix_web::test]
async fn an_undecided_extension_extends_no_part_for_long() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 1, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_secs(10));
    let name = Name::Id(id("order-1"));
    let expires_ms = inventory.reserve(&both, &name).await.unwrap().reservation.expires_ms;
    no_decisions(&scene, fleetpulse::store::Keys::inventory_partition("order-1")).await;
    inventory
        .extend(&id("order-1"), Duration::from_hours(100))
        .await
        .unwrap_err();
    for sku in &skus {
        let due = scene
            .keys()
            .inventory_due(fleetpulse::store::Keys::inventory_partition(sku));
        let ends: Vec<(String, i64)> = scene
            .redis
            .query(cmd("ZRANGE").arg(due).arg(0).arg(-1).arg("WITHSCORES"))
            .await;
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert!(ends[0].1 <= expires_ms + 30_000, "{ends:?}");
    }
}

#[actix_web::test]
async fn parts_that_were_not_extended_are_extended_by_another_instance() {
    let scene = Scene::new().await;
    let skus = apart("sku", 2);
    let inventory = inventory(&scene).await;
    for sku in &skus {
        inventory.put(&id(sku), 1, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_secs(20));
    inventory.reserve(&both, &Name::Id(id("order-1"))).await.unwrap();
    // As if the instance that extended it had crashed after the decision.
    let (keys, home) = (scene.keys(), fleetpulse::store::Keys::inventory_partition("order-1"));
    let key = keys.inventory_reservations(home);
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg("order-1")).await;
    let words: Vec<&str> = record.splitn(4, ' ').collect();
    let later = words[2].parse::<i64>().unwrap() + 3_600_000;
    let decided = format!("{} {} {later} {}", words[0], words[1], words[3]);
    scene
        .redis
        .query::<()>(cmd("HSET").arg(&key).arg("order-1").arg(decided))
        .await;
    scene
        .redis
        .query::<()>(cmd("ZADD").arg(keys.inventory_due(home)).arg(later).arg("order-1"))
        .await;
    scene
        .redis
        .query::<()>(cmd("ZADD").arg(keys.inventory_parted(home)).arg(1).arg("order-1"))
        .await;
    assert_eq!(Books::read(&scene).await.loose().len(), 2);

    let _service = scene.start().await;
    eventually(super::SOON, "the parts last as long", async || {
        Books::read(&scene).await.loose().is_empty().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn confirmed_goods_are_consumed_even_if_their_part_has_not_followed() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let skus = apart("sku", 2);
    for sku in &skus {
        inventory.put(&id(sku), 3, None, super::Expected::Any).await.unwrap();
    }
    let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(1));
    inventory.reserve(&both, &Name::Id(id("order-1"))).await.unwrap();
    let key = scene
        .keys()
        .inventory_reservations(fleetpulse::store::Keys::inventory_partition("order-1"));
    let record: String = scene.redis.query(cmd("HGET").arg(&key).arg("order-1")).await;
    let decided = record.replacen('h', "c", 1);
    scene
        .redis
        .query::<()>(cmd("HSET").arg(&key).arg("order-1").arg(decided))
        .await;
    for sku in &skus {
        let goods = Goods {
            sku: id(sku),
            quantity: 1,
        };
        let left = inventory.consume(&id("order-1"), &goods).await.unwrap();
        assert_eq!((left.quantity, left.reserved()), (2, 0));
    }
}

#[actix_web::test]
async fn an_interrupted_confirmation_is_completed_by_another_instance() {
    let scene = Scene::new().await;
    let skus = apart("sku", 2);
    let reserved = {
        let inventory = inventory(&scene).await;
        for sku in &skus {
            inventory.put(&id(sku), 2, None, super::Expected::Any).await.unwrap();
        }
        let both = terms(&[(&skus[0], 1), (&skus[1], 1)], Duration::from_mins(1));
        inventory.reserve(&both, &Name::New).await.unwrap().reservation.id
    };
    // As if the instance that confirmed it had crashed after the decision: the parts are held, the record is confirmed and due.
    let keys = scene.keys();
    let home = u16::from_str_radix(&reserved[1..2], 16).unwrap();
    let record: String = scene
        .redis
        .query(
            cmd("HGET")
                .arg(keys.inventory_reservations(home))
                .arg(reserved.as_str()),
        )
        .await;
    let decided = record.replacen('h', "c", 1);
    let mut set = cmd("HSET");
    set.arg(keys.inventory_reservations(home))
        .arg(reserved.as_str())
        .arg(decided);
    scene.redis.query::<()>(&set).await;
    let mut due = cmd("ZADD");
    due.arg(keys.inventory_parted(home)).arg(1).arg(reserved.as_str());
    scene.redis.query::<()>(&due).await;

    let _service = scene.start().await;
    let books = eventually(super::SOON, "the parts are confirmed", async || {
        let books = Books::read(&scene).await;
        (books.states.get(&('c', false)) == Some(&2)).then_some(books)
    })
    .await;
    books.balance();
}

#[actix_web::test]
async fn the_entry_of_a_group_lasts_as_long_as_the_item_even_if_calls_are_refused() {
    let scene = Scene::new().await;
    let (one, two) = (inventory(&scene).await, inventory(&scene).await);
    let group = id("g");
    for n in 0..100 {
        let sku = id(&format!("seat-{n}"));
        let (made, refused) = tokio::join!(
            one.put(&sku, 1, Some(&group), super::Expected::Any),
            two.put(&sku, 1, Some(&group), super::Expected::Version(5)),
        );
        assert!(
            made.is_ok() && matches!(refused, Err(InventoryError::Version { .. })),
            "{refused:?}"
        );
        let ends: i64 = scene
            .redis
            .query(cmd("PTTL").arg(scene.keys().inventory_group(&sku)))
            .await;
        assert_eq!(ends, -1, "{sku}");
    }
}

#[actix_web::test]
async fn items_that_move_to_other_groups_are_found() {
    let scene = Scene::new().await;
    let (one, two) = (inventory(&scene).await, inventory(&scene).await);
    let skus: Vec<String> = (0..9).map(|n| format!("seat-{n}")).collect();
    let all: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let minute = terms(&all, Duration::from_mins(1));
    for sku in &skus {
        one.put(&id(sku), 2, Some(&id("g-1")), super::Expected::Any)
            .await
            .unwrap();
    }
    let held = two.reserve(&minute, &Name::New).await.unwrap().reservation.id;
    two.release(&held).await.unwrap();
    // Each is created again in a group of its own, which the other instance has not cached.
    for (n, sku) in skus.iter().enumerate() {
        one.remove(&id(sku), super::Expected::Any).await.unwrap();
        let key = scene.keys().inventory_group(&id(sku));
        scene.redis.query::<()>(cmd("DEL").arg(key)).await;
        one.put(&id(sku), 1, Some(&id(&format!("g-{n}-x"))), super::Expected::Any)
            .await
            .unwrap();
    }
    two.reserve(&minute, &Name::New).await.unwrap();
    Books::read(&scene).await.balance();
}
