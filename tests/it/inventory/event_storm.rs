//! Hundreds of clients of two instances, some of which disconnect in the middle of a call: every transition is published once, and in
//! order.

use super::books::Books;
use super::{SOON, Stock, apart};
use crate::support::{Answer, Scene, eventually};
use fleetpulse::store::{Store, Subscription};
use futures_util::future::{join, join_all};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::IntoConnectionInfo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const CLIENTS: u64 = 240;
const ROUNDS: usize = 5;
const ON_HAND: u64 = 600;
/// Its deletion is the last event.
const LAST: &str = "last";

/// The counts of all clients.
#[derive(Default)]
struct Counts {
    /// By reservation: extensions that were acknowledged.
    extended: Mutex<BTreeMap<String, usize>>,
    hung_up: Mutex<usize>,
}

struct Client<'a> {
    stock: Stock,
    skus: &'a [String],
    counts: &'a Counts,
    random: StdRng,
    number: u64,
}

impl Client<'_> {
    /// A call for whose answer the client may not wait.
    async fn call(&mut self, call: impl Future<Output = Answer>) -> Option<Answer> {
        if self.random.random_bool(0.85) {
            return Some(call.await);
        }
        let patience = Duration::from_micros(self.random.random_range(0..8_000));
        let answer = timeout(patience, call).await.ok();
        if answer.is_none() {
            *self.counts.hung_up.lock().unwrap() += 1;
        }
        answer
    }

    async fn live(mut self) {
        let stock = self.stock.clone();
        for round in 0..ROUNDS {
            if self.random.random_bool(0.2) {
                let sku = &self.skus[self.random.random_range(0..self.skus.len())];
                let delta = self.random.random_range(-2..=2_i32);
                self.call(stock.adjust(sku, json!({ "delta": delta }))).await;
            }
            let brief = self.random.random_bool(0.2);
            let Some(id) = self.reserve(round, if brief { 1 } else { 60 }).await else {
                continue;
            };
            if brief && self.random.random_bool(0.5) {
                // Until it has expired.
                sleep(Duration::from_millis(1_100)).await;
            } else if self.random.random_bool(0.3) {
                self.extend(&id).await;
            }
            let verb = match self.random.random_range(0..10) {
                0..5 => "confirm",
                5..8 => "release",
                _ => continue,
            };
            for _ in 0..self.random.random_range(1..3) {
                let ended = self.call(stock.to(&id, verb)).await;
                assert!(ended.is_none_or(|ended| [200, 409].contains(&ended.status)));
            }
        }
    }

    /// Of one item or of two, with a key or an id of the client, called up to three times.
    async fn reserve(&mut self, round: usize, ttl_s: u64) -> Option<String> {
        let name = format!("c{}-{round}", self.number);
        let first = self.random.random_range(0..self.skus.len());
        let quantity = self.random.random_range(1..4);
        let (path, mut body) = if self.random.random_bool(0.4) {
            let second = (first + 1) % self.skus.len();
            let items = [first, second].map(|index| json!({"sku": self.skus[index], "quantity": quantity}));
            (
                "/v1/reservations".to_owned(),
                json!({"items": items, "ttl_s": ttl_s, "owner": "rider-7"}),
            )
        } else {
            let path = format!("/v1/inventory/{}/reservations", self.skus[first]);
            (path, json!({"quantity": quantity, "ttl_s": ttl_s}))
        };
        let keyed = self.random.random_bool(0.5);
        if !keyed {
            body["id"] = Value::from(&*name);
        }
        let stock = self.stock.clone();
        let mut id = None;
        for _ in 0..3 {
            let made = if keyed {
                self.call(stock.keyed(&path, &name, body.clone())).await
            } else {
                self.call(stock.post(&path, body.clone())).await
            };
            let Some(made) = made else { continue };
            match made.status {
                201 => id = Some(made.body["id"].as_str().unwrap().to_owned()),
                // Too little stock, or still in progress because this client disconnected.
                409 => {}
                _ => panic!("{made:?}"),
            }
            if self.random.random_bool(0.7) {
                break;
            }
        }
        id
    }

    /// Waits for the answer, so that the number of events is known.
    async fn extend(&self, id: &str) {
        let answer = self.stock.to(id, "extend").await;
        if answer.status == 200 {
            let mut extended = self.counts.extended.lock().unwrap();
            *extended.entry(id.to_owned()).or_default() += 1;
        } else {
            assert_eq!(answer.status, 409, "{answer:?}");
        }
    }
}

/// Returns all events up to the last.
async fn listen(mut events: Subscription) -> Vec<Value> {
    let mut received = Vec::new();
    loop {
        let message = events.next().await.expect("the connection is open");
        let event: Value = serde_json::from_slice(message.get_payload_bytes()).unwrap();
        if event["sku"] == LAST && event["event"] == "deleted" {
            return received;
        }
        received.push(event);
    }
}

/// Asserts that each reservation has one transition at a time, and that each transition is possible from the state before.
fn assert_walks(received: &[Value], records: &BTreeMap<String, char>, extended: &BTreeMap<String, usize>) {
    let mut walks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in received.iter().filter(|event| event["reservation"].is_string()) {
        let walk = walks.entry(event["reservation"].as_str().unwrap()).or_default();
        walk.push(event["event"].as_str().unwrap());
    }
    assert!(walks.keys().copied().eq(records.keys().map(String::as_str)));
    for (id, walk) in walks {
        let extensions = walk.iter().filter(|event| **event == "extended").count();
        assert_eq!(
            extensions,
            extended.get(id).copied().unwrap_or_default(),
            "{id}: {walk:?}"
        );
        let mut state = ' ';
        for event in &walk {
            state = match (state, *event) {
                (' ', "held") | ('h', "extended") => 'h',
                ('h', "released") => 'r',
                ('h', "expired") => 'e',
                ('h' | 'e', "confirmed") => 'c',
                _ => panic!("{id}: {walk:?}"),
            };
        }
        assert_eq!(state, records[id], "{id}: {walk:?}");
    }
}

/// Asserts that each change of a quantity is published once: versions have no gaps and no duplicates.
fn assert_versions(received: &[Value], sku: &str, first: u64, last: u64) {
    let versions = received.iter().filter(|event| event["sku"] == sku);
    let versions: Vec<u64> = versions.map(|event| event["version"].as_u64().unwrap()).collect();
    assert!(versions.iter().copied().eq(first..=last), "{sku}: {versions:?}");
}

#[actix_web::test]
async fn every_transition_is_published_once_even_if_clients_disconnect() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (Stock(one.drivers()), Stock(two.drivers()));
    let address = scene.redis.url().into_connection_info().unwrap();
    let store = Store::new(address, scene.keys(), Duration::from_secs(5)).unwrap();
    let events = store.subscribe(&[scene.keys().inventory_events(0)]).await.unwrap();
    let listening = actix_web::rt::spawn(listen(events));

    let mut skus = apart("sku", 3);
    skus.extend(["a".to_owned(), "b".to_owned()]);
    let mut first = Vec::new();
    for sku in &skus {
        let group = (sku.len() == 1).then_some("g");
        let made = one.put(sku, json!({"quantity": ON_HAND, "group": group})).await;
        first.push(made.body["version"].as_u64().unwrap());
    }
    let counts = Counts::default();
    let clients = (0..CLIENTS).map(|number| {
        let client = Client {
            stock: if number % 2 == 0 { one.clone() } else { two.clone() },
            skus: &skus,
            counts: &counts,
            random: StdRng::seed_from_u64(number),
            number,
        };
        client.live()
    });
    join_all(clients).await;
    let hung_up = *counts.hung_up.lock().unwrap();
    assert!(hung_up > 100, "{hung_up}");

    // Interrupted calls are completed, and the sweep expires holds that are due.
    let books = eventually(SOON, "all is done that was begun", async || {
        let books = Books::read(&scene).await;
        let ended = books.records.iter().all(|(_, state)| *state != 'o') && books.ending == 0;
        (ended && books.loose().is_empty()).then_some(books)
    })
    .await;
    books.balance();
    one.has(LAST, 1).await;
    let mut last = Vec::new();
    for sku in &skus {
        last.push(two.item(sku).await.body["version"].as_u64().unwrap());
    }
    let (received, _) = join(listening, one.delete(LAST)).await;
    let received = received.unwrap();
    assert!(received.len() > 1_500, "{}", received.len());
    assert_walks(&received, &books.records, &counts.extended.lock().unwrap());
    for (sku, (first, last)) in skus.iter().zip(first.into_iter().zip(last)) {
        assert_versions(&received, sku, first, last);
    }
}
