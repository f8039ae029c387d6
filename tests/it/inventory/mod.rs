//! Stock and reservations: a file per subject.

mod bad_input;
mod batches;
mod books;
mod claims;
mod concurrency;
mod consume;
mod disconnecting_clients;
mod embedded;
mod event_storm;
pub mod events;
mod expiry;
mod faults;
mod give_back;
mod groups;
mod items;
mod model;
mod regressions;
mod reservations;
mod sagas;
mod total;

use crate::support::{Answer, Api, Redis, Scene, send};
use fleetpulse::ids::Id;
use fleetpulse::inventory::{Expected, Goods, Inventory, InventorySettings, Terms};
use fleetpulse::store::{Keys, Link, Store};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// How long background work may take on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// The calls of one instance about its stock.
#[derive(Clone)]
struct Stock(Api);

impl Stock {
    async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.0.request(Method::POST, path).json(&body)).await
    }

    async fn put(&self, sku: &str, body: Value) -> Answer {
        send(self.0.request(Method::PUT, &format!("/v1/inventory/{sku}")).json(&body)).await
    }

    /// An item with this quantity.
    async fn has(&self, sku: &str, quantity: u64) {
        let answer = self.put(sku, json!({ "quantity": quantity })).await;
        assert!(answer.status == 200 || answer.status == 201, "{answer:?}");
    }

    async fn item(&self, sku: &str) -> Answer {
        self.0.get(&format!("/v1/inventory/{sku}")).await
    }

    /// The quantities on hand, reserved and available.
    async fn counts(&self, sku: &str) -> (u64, u64, u64) {
        let item = self.item(sku).await;
        assert_eq!(item.status, 200, "{item:?}");
        let number = |name: &str| item.body[name].as_u64().unwrap();
        (number("quantity"), number("reserved"), number("available"))
    }

    async fn adjust(&self, sku: &str, body: Value) -> Answer {
        self.post(&format!("/v1/inventory/{sku}/adjust"), body).await
    }

    async fn delete(&self, sku: &str) -> Answer {
        send(self.0.request(Method::DELETE, &format!("/v1/inventory/{sku}"))).await
    }

    async fn reserve(&self, sku: &str, body: Value) -> Answer {
        self.post(&format!("/v1/inventory/{sku}/reservations"), body).await
    }

    /// Creates a hold, and returns its id.
    async fn hold(&self, sku: &str, quantity: u64, ttl_s: u64) -> String {
        let answer = self.reserve(sku, json!({"quantity": quantity, "ttl_s": ttl_s})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    }

    async fn keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.0.request(Method::POST, path).header("Idempotency-Key", key);
        send(request.json(&body)).await
    }

    /// `confirm`, `release`, `return`, or with a body `extend`.
    async fn to(&self, id: &str, verb: &str) -> Answer {
        let body = if verb == "extend" {
            json!({"ttl_s": 3600})
        } else {
            json!({})
        };
        self.post(&format!("/v1/reservations/{id}/{verb}"), body).await
    }

    async fn reservation(&self, id: &str) -> Answer {
        self.0.get(&format!("/v1/reservations/{id}")).await
    }

    async fn state(&self, id: &str) -> String {
        let answer = self.reservation(id).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["state"].as_str().unwrap().to_owned()
    }
}

/// The Rust interface over a connection of its own.
async fn inventory<R: AsRef<Redis>>(scene: &Scene<R>) -> Inventory {
    with_settings(scene, &InventorySettings::default()).await
}

async fn with_settings<R: AsRef<Redis>>(scene: &Scene<R>, settings: &InventorySettings) -> Inventory {
    connect(&scene.redis.as_ref().url(), scene, settings).await
}

/// The same over another connection to the scene's Redis.
async fn at<R: AsRef<Redis>>(url: &str, scene: &Scene<R>) -> Inventory {
    connect(url, scene, &InventorySettings::default()).await
}

async fn connect<R: AsRef<Redis>>(url: &str, scene: &Scene<R>, settings: &InventorySettings) -> Inventory {
    let address = redis::IntoConnectionInfo::into_connection_info(url).unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    let link = Link::open(&store);
    link.connected().await;
    Inventory::start(&link, settings)
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// A hold of this duration on these goods.
fn terms(goods: &[(&str, u64)], ttl: Duration) -> Terms {
    let goods = goods.iter().map(|(sku, quantity)| Goods {
        sku: id(sku),
        quantity: *quantity,
    });
    Terms {
        ttl,
        owner: None,
        goods: goods.collect(),
    }
}

/// This many names, each in a partition of its own.
fn apart(what: &str, count: usize) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut taken = Vec::new();
    for name in (0..).map(|n| format!("{what}-{n}")) {
        let partition = Keys::inventory_partition(&name);
        if names.len() == count {
            break;
        }
        if !taken.contains(&partition) {
            taken.push(partition);
            names.push(name);
        }
    }
    names
}
