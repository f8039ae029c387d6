//! Published events.

use super::{Expected, SOON, Stock, apart, id, inventory, terms};
use crate::support::Scene;
use fleetpulse::inventory::Name;
use fleetpulse::store::{Store, Subscription};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

pub async fn next(subscription: &mut Subscription) -> Value {
    let message = timeout(SOON, subscription.next()).await.expect("an event").unwrap();
    serde_json::from_slice(message.get_payload_bytes()).unwrap()
}

/// The events of a scene from now on.
pub async fn subscribe(scene: &Scene) -> Subscription {
    let address = redis::IntoConnectionInfo::into_connection_info(scene.redis.url()).unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    store.subscribe(&[scene.keys().inventory_events(0)]).await.unwrap()
}

#[actix_web::test]
async fn each_transition_is_published_once() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let mut events = subscribe(&scene).await;

    stock.has("seat", 5).await;
    let set = next(&mut events).await;
    let version = &stock.item("seat").await.body["version"];
    assert_eq!(
        (&set["event"], &set["quantity"], &set["version"]),
        (&json!("stock"), &json!(5), version)
    );
    let body = json!({"quantity": 2, "ttl_s": 60, "owner": "rider-7"});
    let made = stock.keyed("/v1/inventory/seat/reservations", "k", body.clone()).await;
    let hold = made.body["id"].as_str().unwrap().to_owned();
    let held = next(&mut events).await;
    assert_eq!((&held["event"], &held["reservation"]), (&json!("held"), &json!(hold)));
    assert_eq!(
        (&held["owner"], &held["items"]),
        (&json!("rider-7"), &json!([{"sku": "seat", "quantity": 2}]))
    );
    // A call that changes nothing publishes nothing.
    stock.keyed("/v1/inventory/seat/reservations", "k", body).await;
    stock.to(&hold, "extend").await;
    assert_eq!(next(&mut events).await["event"], "extended");
    stock.to(&hold, "confirm").await;
    stock.to(&hold, "confirm").await;
    stock.to(&hold, "release").await;
    assert_eq!(next(&mut events).await["event"], "confirmed");
    stock.adjust("seat", json!({"delta": -2, "reservation": hold})).await;
    assert_eq!(next(&mut events).await["quantity"], 3);
    let released = stock.hold("seat", 1, 60).await;
    stock.to(&released, "release").await;
    stock.to(&released, "release").await;
    assert_eq!(next(&mut events).await["event"], "held");
    assert_eq!(next(&mut events).await["event"], "released");

    let inventory = inventory(&scene).await;
    let short = terms(&[("seat", 3)], Duration::from_millis(1));
    let short = inventory.reserve(&short, &Name::New).await.unwrap().reservation.id;
    assert_eq!(next(&mut events).await["event"], "held");
    let expired = next(&mut events).await;
    assert_eq!(
        (&expired["event"], &expired["reservation"]),
        (&json!("expired"), &json!(short.as_str()))
    );
    inventory.remove(&id("seat"), Expected::Any).await.unwrap();
    assert_eq!(next(&mut events).await["event"], "deleted");
}

#[actix_web::test]
async fn across_groups_each_transition_is_published_once_with_all_items() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let skus = apart("sku", 3);
    for sku in &skus {
        stock.has(sku, 9).await;
    }
    let address = redis::IntoConnectionInfo::into_connection_info(scene.redis.url()).unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    let mut events = store.subscribe(&[scene.keys().inventory_events(0)]).await.unwrap();

    let items: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
    let body = json!({"items": items, "ttl_s": 60});
    let mut expected = Vec::new();
    for last in ["confirm", "release"] {
        let made = stock.post("/v1/reservations", body.clone()).await;
        let hold = made.body["id"].as_str().unwrap();
        for verb in ["extend", last, last] {
            assert_eq!(stock.to(hold, verb).await.status, 200, "{verb}");
        }
        expected.extend(
            [
                "held",
                "extended",
                if last == "confirm" { "confirmed" } else { "released" },
            ]
            .map(|e| (e, hold.to_owned())),
        );
    }
    let inventory = inventory(&scene).await;
    let goods: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let short = inventory
        .reserve(&terms(&goods, Duration::from_millis(300)), &Name::New)
        .await;
    let short = short.unwrap().reservation.id.as_str().to_owned();
    expected.extend([("held", short.clone()), ("expired", short)]);
    for (event, id) in expected {
        let said = next(&mut events).await;
        assert_eq!(
            (&said["event"], &said["reservation"]),
            (&json!(event), &json!(id)),
            "{said}"
        );
        assert_eq!(said["items"].as_array().unwrap().len(), 3, "{said}");
    }
    stock.has(&skus[0], 8).await;
    assert_eq!(next(&mut events).await["event"], "stock");
}
