//! Hundreds of concurrent clients of two instances. Some disconnect in the middle of a call, and Redis fails: the books balance at
//! every moment and at the end.

use super::books::Books;
use super::{Stock, apart};
use crate::support::{Redis, Scene, answered, eventually};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const CLIENTS: u64 = 240;
const ROUNDS: usize = 6;
const ON_HAND: u64 = 400;

/// What was reported to clients about their reservations, and must stay true.
#[derive(Default)]
struct Reported {
    confirmed: Mutex<Vec<String>>,
    released: Mutex<Vec<String>>,
    refused: AtomicUsize,
    unavailable: AtomicUsize,
    dropped: AtomicUsize,
}

struct Client<'a> {
    stock: Stock,
    skus: &'a [String],
    reported: &'a Reported,
    random: StdRng,
    number: u64,
}

impl Client<'_> {
    async fn live(mut self) {
        for round in 0..ROUNDS {
            let name = format!("c{}-{round}", self.number);
            let Some(id) = self.reserve(&name).await else { continue };
            let verb = match self.random.random_range(0..10) {
                0..5 => "confirm",
                5..8 => "release",
                _ => continue,
            };
            self.end(&id, verb).await;
        }
    }

    /// Repeats a call with its key until there is an answer, as a correct client does; another client disconnects.
    async fn reserve(&mut self, name: &str) -> Option<String> {
        let first = self.random.random_range(0..self.skus.len());
        let quantity = self.random.random_range(1..4);
        let ttl_s = if self.random.random_bool(0.2) { 1 } else { 60 };
        let one = json!({"quantity": quantity, "ttl_s": ttl_s});
        let (path, mut body) = match self.random.random_range(0..3) {
            0 => {
                let second = (first + 1) % self.skus.len();
                let item = |index: usize| json!({"sku": self.skus[index], "quantity": quantity});
                (
                    "/v1/reservations".to_owned(),
                    json!({"items": [item(first), item(second)], "ttl_s": ttl_s}),
                )
            }
            _ => (format!("/v1/inventory/{}/reservations", self.skus[first]), one),
        };
        let keyed = self.random.random_bool(0.7);
        if !keyed {
            body["id"] = Value::from(name);
        }
        for _ in 0..200 {
            let asking = async {
                if keyed {
                    self.stock.keyed(&path, name, body.clone()).await
                } else {
                    self.stock.post(&path, body.clone()).await
                }
            };
            let patience = if self.random.random_bool(0.1) { 3 } else { 20_000 };
            let Ok(answer) = timeout(Duration::from_millis(patience), asking).await else {
                self.reported.dropped.fetch_add(1, Ordering::Relaxed);
                // Every other one repeats the call.
                if self.random.random_bool(0.5) {
                    return None;
                }
                continue;
            };
            match answer.status {
                201 => return Some(answer.body["id"].as_str().unwrap().to_owned()),
                409 if answer.body["available"].is_u64() => {
                    self.reported.refused.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                503 | 409 => {
                    self.reported.unavailable.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(20)).await;
                }
                _ => panic!("{answer:?}"),
            }
        }
        None
    }

    async fn end(&mut self, id: &str, verb: &str) {
        for _ in 0..200 {
            let answer = self.stock.to(id, verb).await;
            match answer.status {
                200 => {
                    let reported = if verb == "confirm" {
                        &self.reported.confirmed
                    } else {
                        &self.reported.released
                    };
                    reported.lock().unwrap().push(id.to_owned());
                    // Repeated by a client that did not get the answer.
                    if self.random.random_bool(0.2) {
                        let again = self.stock.to(id, verb).await;
                        assert!(again.status == 200 || again.status == 503, "{again:?}");
                    }
                    return;
                }
                // Expired, and for a confirmation sold to another client since then.
                409 => return,
                503 => {
                    self.reported.unavailable.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(20)).await;
                }
                _ => panic!("{answer:?}"),
            }
        }
    }
}

/// Reads every item repeatedly; a frozen or killed Redis returns nothing.
async fn watch(stock: &Stock, skus: &[String], done: &AtomicBool) -> usize {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        for sku in skus {
            let item = stock.item(sku).await;
            if item.status == 200 {
                let number = |name: &str| item.body[name].as_u64().unwrap();
                assert!(number("reserved") <= number("quantity"), "{item:?}");
                assert_eq!(number("available"), number("quantity") - number("reserved"), "{item:?}");
                looks += 1;
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
    looks
}

async fn state(stock: &Stock, id: &str) -> String {
    let answer = answered(async || stock.reservation(id).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["state"].as_str().unwrap().to_owned()
}

fn ids(reported: &Mutex<Vec<String>>) -> Vec<String> {
    reported.lock().unwrap().clone()
}

#[actix_web::test]
async fn the_books_balance_under_failures_at_any_time() {
    let mut scene = Scene::on(Redis::synced().await).with(&["--redis-timeout=500"]);
    let (one, two) = (scene.start().await, scene.start().await);
    let (one, two) = (Stock(one.drivers()), Stock(two.drivers()));
    let mut skus = apart("sku", 3);
    skus.extend(["a".to_owned(), "b".to_owned()]);
    for sku in &skus {
        let group = (sku.len() == 1).then_some("g");
        let made = one.put(sku, json!({"quantity": ON_HAND, "group": group})).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let (reported, done) = (Reported::default(), AtomicBool::new(false));
    let clients = (0..CLIENTS).map(|number| {
        let client = Client {
            stock: if number % 2 == 0 { one.clone() } else { two.clone() },
            skus: &skus,
            reported: &reported,
            random: StdRng::seed_from_u64(number),
            number,
        };
        client.live()
    });
    let all = async {
        join_all(clients).await;
        done.store(true, Ordering::Relaxed);
    };
    let breaking = async {
        for _ in 0..2 {
            sleep(Duration::from_millis(700)).await;
            scene.redis.kill();
            sleep(Duration::from_millis(100)).await;
            scene.redis.restart().await;
        }
    };
    let ((), (), looks) = tokio::join!(all, breaking, watch(&two, &skus, &done));
    assert!(looks > 20, "{looks}");
    let (confirmed, released) = (ids(&reported.confirmed), ids(&reported.released));
    assert!(
        confirmed.len() > 100 && released.len() > 50,
        "{} {}",
        confirmed.len(),
        released.len()
    );
    assert!(reported.unavailable.load(Ordering::Relaxed) > 0 && reported.dropped.load(Ordering::Relaxed) > 0);

    Books::read(&scene).await.add_up();
    for id in &confirmed {
        assert_eq!(state(&one, id).await, "confirmed", "{id}");
    }
    for id in &released {
        assert_eq!(state(&two, id).await, "released", "{id}");
    }
    // Interrupted calls are completed: decisions within 5 s; parts without a decision expire within 30 s.
    let books = eventually(Duration::from_secs(45), "what was cut off is made good", async || {
        let books = Books::read(&scene).await;
        let opening = books.states.keys().any(|(state, _)| *state == 'o');
        (!opening && books.loose().is_empty()).then_some(books)
    })
    .await;
    books.balance();
    for sku in &skus {
        let (quantity, held, confirmed) = books.items[sku];
        assert_eq!(quantity, ON_HAND);
        answered(async || one.item(sku).await).await;
        let (of_item, reserved, available) = one.counts(sku).await;
        assert!(reserved <= held + confirmed && of_item == quantity, "{sku}");
        let all = one.reserve(sku, json!({"quantity": available, "ttl_s": 60})).await;
        assert!(available == 0 || all.status == 201, "{all:?}");
        let more = one.reserve(sku, json!({"quantity": 1, "ttl_s": 60})).await;
        assert_eq!((more.status, &more.body["available"]), (409, &json!(0)), "{sku}");
    }
    Books::read(&scene).await.balance();
}
