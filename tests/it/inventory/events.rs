//! What is published of it.

use super::{Expected, SOON, Stock, id, inventory, terms};
use crate::support::Scene;
use fleetpulse::inventory::Name;
use fleetpulse::store::{Store, Subscription};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

async fn next(subscription: &mut Subscription) -> Value {
    let message = timeout(SOON, subscription.next()).await.expect("an event").unwrap();
    serde_json::from_slice(message.get_payload_bytes()).unwrap()
}

#[actix_web::test]
async fn each_transition_is_told_once() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let address = redis::IntoConnectionInfo::into_connection_info(scene.redis.url()).unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    let mut events = store.subscribe(&[scene.keys().inventory_events(0)]).await.unwrap();

    stock.has("seat", 5).await;
    let set = next(&mut events).await;
    assert_eq!(
        (&set["event"], &set["quantity"], &set["version"]),
        (&json!("stock"), &json!(5), &json!(1))
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
    // What changes nothing is not told.
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
