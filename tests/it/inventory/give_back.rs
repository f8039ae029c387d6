//! Holds of an owner, releases and returns of portions, and oversold items.

use super::books::Books;
use super::events::{next, subscribe};
use super::{Stock, apart, id, inventory, terms};
use crate::names::encoded;
use crate::support::{Answer, Scene, Service, eventually, send};
use fleetpulse::inventory::{Expected, Name, State};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn scene() -> (Scene, Service, Stock) {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    (scene, service, stock)
}

impl Stock {
    /// Releases or returns this quantity of a reservation. Returns the status and the body.
    async fn gives(&self, id: &str, verb: &str, body: Value) -> Answer {
        self.post(&format!("/v1/reservations/{id}/{verb}"), body).await
    }

    /// `GET` or `DELETE` of an owner's holds.
    async fn of_owner(&self, method: Method, owner: &str, more: &str) -> Answer {
        let owner = encoded(owner);
        send(self.0.request(method, &format!("/v1/reservations?owner={owner}{more}"))).await
    }
}

#[track_caller]
fn assert_conflict(answer: &Answer, kind: &str) {
    answer.assert_problem(409, &[]);
    assert_eq!(
        answer.body["type"],
        format!("urn:fleetpulse:problem:{kind}"),
        "{answer:?}"
    );
}

#[actix_web::test]
async fn a_part_of_a_hold_is_released_and_the_rest_stays_held() {
    let (scene, _service, stock) = scene().await;
    let hold = stock.hold("seat", 5, 600).await;
    let mut events = subscribe(&scene).await;
    let less = stock.gives(&hold, "release", json!({"quantity": 2})).await;
    assert_eq!((less.status, &less.body["state"]), (200, &json!("held")));
    assert_eq!(less.body["items"], json!([{"sku": "seat", "quantity": 3}]));
    assert_eq!(stock.counts("seat").await, (10, 3, 7));
    let reduced = next(&mut events).await;
    assert_eq!(
        (&reduced["event"], &reduced["items"]),
        (&json!("reduced"), &json!([{"sku": "seat", "quantity": 3}]))
    );
    let path = format!("/v1/reservations/{hold}/release");
    for _ in 0..2 {
        let once = stock.keyed(&path, "k", json!({"quantity": 1})).await;
        assert_eq!(once.body["items"], json!([{"sku": "seat", "quantity": 2}]), "{once:?}");
    }
    stock
        .keyed(&path, "k", json!({"quantity": 2}))
        .await
        .assert_problem(422, &["/Idempotency-Key"]);
    let beyond = stock.gives(&hold, "release", json!({"quantity": 3})).await;
    assert_conflict(&beyond, "not_that_much");
    assert_eq!(
        (&beyond.body["quantity"], stock.counts("seat").await),
        (&json!(2), (10, 2, 8))
    );
    // The rest is extended, confirmed and consumed.
    assert_eq!(stock.to(&hold, "extend").await.status, 200);
    assert_eq!(
        stock.to(&hold, "confirm").await.body["items"],
        json!([{"sku": "seat", "quantity": 2}])
    );
    assert_conflict(
        &stock.gives(&hold, "release", json!({"quantity": 1})).await,
        "wrong_state",
    );
    stock
        .adjust("seat", json!({"delta": -3, "reservation": hold}))
        .await
        .assert_problem(422, &["/delta"]);
    assert_eq!(
        stock
            .adjust("seat", json!({"delta": -2, "reservation": hold}))
            .await
            .status,
        200
    );
    assert_eq!(stock.counts("seat").await, (8, 0, 8));
    // The last of it ends the hold.
    let hold = stock.hold("seat", 2, 600).await;
    let all = stock
        .gives(&hold, "release", json!({"items": [{"sku": "seat", "quantity": 2}]}))
        .await;
    assert_eq!(all.body["state"], "released", "{all:?}");
    assert_eq!(stock.to(&hold, "release").await.status, 200);
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn an_expired_reduced_hold_is_confirmed_with_the_rest() {
    let (scene, _service, stock) = scene().await;
    let made = stock
        .keyed(
            "/v1/inventory/seat/reservations",
            "k",
            json!({"quantity": 5, "ttl_s": 2}),
        )
        .await;
    let hold = made.body["id"].as_str().unwrap();
    let less = stock.gives(hold, "release", json!({"quantity": 3})).await;
    assert_eq!(less.status, 200, "{less:?}");
    eventually(super::SOON, "it expires", async || {
        (stock.state(hold).await == "expired").then_some(())
    })
    .await;
    assert_eq!(stock.counts("seat").await, (10, 0, 10));
    let again = stock
        .keyed(
            "/v1/inventory/seat/reservations",
            "k",
            json!({"quantity": 5, "ttl_s": 2}),
        )
        .await;
    assert_eq!(again.body, made.body);
    stock.to(hold, "confirm").await;
    assert_eq!(stock.counts("seat").await, (10, 2, 8));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn with_several_items_a_portion_names_them() {
    let (scene, _service, stock) = scene().await;
    let inventory = inventory(&scene).await;
    let skus = ["a", "b"];
    for sku in skus {
        stock.put(sku, json!({"quantity": 10, "group": "g"})).await;
    }
    let both = terms(&[("a", 4), ("b", 1)], Duration::from_mins(10));
    let hold = inventory.reserve(&both, &Name::New).await.unwrap().reservation.id;
    stock
        .gives(&hold, "release", json!({"quantity": 1}))
        .await
        .assert_problem(422, &["/quantity"]);
    for wrong in [
        json!({"items": []}),
        json!({"items": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 1}]}),
        json!({"items": [{"sku": "a", "quantity": 1}], "quantity": 1}),
    ] {
        stock
            .gives(&hold, "release", wrong)
            .await
            .assert_problem(422, &["/items"]);
    }
    let other = stock
        .gives(
            &hold,
            "release",
            json!({"items": [{"sku": "a", "quantity": 1}, {"sku": "seat", "quantity": 1}]}),
        )
        .await;
    assert_conflict(&other, "not_that_much");
    let rest = stock
        .gives(
            &hold,
            "release",
            json!({"items": [{"sku": "b", "quantity": 1}, {"sku": "a", "quantity": 1}]}),
        )
        .await;
    assert_eq!(rest.body["items"], json!([{"sku": "a", "quantity": 3}]));
    assert_eq!(
        (stock.counts("a").await, stock.counts("b").await),
        ((10, 3, 7), (10, 0, 10))
    );
    // An item of which it has nothing any more may be deleted.
    assert_eq!(stock.delete("b").await.status, 204);
    assert_eq!(stock.to(&hold, "confirm").await.status, 200);
    assert_eq!(stock.to(&hold, "return").await.body["state"], "returned");
    assert_eq!(stock.counts("a").await, (10, 0, 10));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_confirmed_reservation_is_returned_in_part_or_completely() {
    let (scene, _service, stock) = scene().await;
    let order = stock.hold("seat", 6, 600).await;
    assert_conflict(&stock.to(&order, "return").await, "wrong_state");
    stock.to(&order, "confirm").await;
    let part = stock.gives(&order, "return", json!({"quantity": 2})).await;
    assert_eq!(
        (&part.body["state"], &part.body["items"][0]["quantity"]),
        (&json!("confirmed"), &json!(4))
    );
    let path = format!("/v1/reservations/{order}/return");
    for _ in 0..2 {
        assert_eq!(
            stock.keyed(&path, "k", json!({"quantity": 1})).await.body["items"][0]["quantity"],
            3
        );
    }
    assert_eq!(stock.counts("seat").await, (10, 3, 7));
    let mut events = subscribe(&scene).await;
    for _ in 0..2 {
        let all = stock.to(&order, "return").await;
        assert_eq!((all.status, &all.body["state"]), (200, &json!("returned")));
    }
    assert_eq!(next(&mut events).await["event"], "returned");
    assert_eq!(stock.counts("seat").await, (10, 0, 10));
    for verb in ["confirm", "release", "extend"] {
        assert_conflict(&stock.to(&order, verb).await, "wrong_state");
    }
    stock
        .gives("r0.none", "return", json!({}))
        .await
        .assert_problem(404, &[]);
    // Consumed goods cannot be returned.
    let gone = stock.hold("seat", 1, 600).await;
    stock.to(&gone, "confirm").await;
    stock.adjust("seat", json!({"delta": -1, "reservation": gone})).await;
    assert_conflict(&stock.to(&gone, "return").await, "has_left");
    assert_conflict(&stock.gives(&gone, "return", json!({"quantity": 1})).await, "has_left");
    assert_eq!(stock.counts("seat").await, (9, 0, 9));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn across_groups_a_portion_is_released() {
    let (scene, _service, stock) = scene().await;
    let skus = apart("s", 4);
    for sku in &skus {
        stock.has(sku, 10).await;
    }
    let items: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 3})).collect();
    let made = stock
        .post("/v1/reservations", json!({"items": items, "ttl_s": 600}))
        .await;
    let order = made.body["id"].as_str().unwrap();
    let of = |n: usize, quantity: u64| json!({"items": [{"sku": skus[n], "quantity": quantity}]});
    let reduced = stock.gives(order, "release", of(0, 1)).await;
    assert_eq!(
        (reduced.status, &reduced.body["state"]),
        (200, &json!("held")),
        "{reduced:?}"
    );
    assert_eq!(stock.counts(&skus[0]).await, (10, 2, 8));
    assert_conflict(&stock.gives(order, "release", of(0, 3)).await, "not_that_much");
    let reduced = stock.gives(order, "release", of(1, 3)).await;
    assert_eq!(reduced.body["items"].as_array().unwrap().len(), 3, "{reduced:?}");
    stock.to(order, "confirm").await;
    assert_eq!(
        (stock.counts(&skus[0]).await, stock.counts(&skus[1]).await),
        ((10, 2, 8), (10, 0, 10))
    );
    assert_eq!(stock.gives(order, "return", of(2, 1)).await.status, 200);
    assert_eq!(stock.counts(&skus[2]).await, (10, 2, 8));
    let left = stock.adjust(&skus[3], json!({"delta": -3, "reservation": order})).await;
    assert_eq!(left.status, 200, "{left:?}");
    assert_conflict(&stock.gives(order, "return", of(3, 1)).await, "has_left");
    Books::read(&scene).await.balance();
    assert_eq!(stock.to(order, "return").await.body["state"], "returned");
    for (n, on_hand) in [10, 10, 10, 7].into_iter().enumerate() {
        assert_eq!(stock.counts(&skus[n]).await, (on_hand, 0, on_hand));
    }
    Books::read(&scene).await.balance();

    // An expired reduced hold takes the rest of its stock again.
    let body = json!({"items": items, "ttl_s": 1});
    let made = stock.post("/v1/reservations", body).await;
    let order = made.body["id"].as_str().unwrap();
    assert_eq!(stock.gives(order, "release", of(0, 2)).await.status, 200);
    eventually(super::SOON, "it expires", async || {
        (stock.reservation(order).await.body["state"] == "expired").then_some(())
    })
    .await;
    let confirmed = stock.to(order, "confirm").await;
    assert_eq!(
        (confirmed.status, &confirmed.body["items"][0]["quantity"]),
        (200, &json!(1)),
        "{confirmed:?}"
    );
    assert_eq!(
        (stock.counts(&skus[0]).await, stock.counts(&skus[1]).await),
        ((10, 1, 9), (10, 3, 7))
    );
    // With its key it gets the first answer, also after goods were consumed.
    let keyed = async || {
        let path = format!("/v1/reservations/{order}/return");
        stock.keyed(&path, "k", of(1, 1)).await
    };
    let first = keyed().await;
    stock.adjust(&skus[1], json!({"delta": -2, "reservation": order})).await;
    assert_eq!(keyed().await.body, first.body);
    assert_conflict(&stock.gives(order, "return", of(1, 1)).await, "has_left");
    Books::read(&scene).await.balance();
    assert_eq!(stock.to(order, "return").await.status, 200);
    stock.has(&skus[1], 10).await;
    stock.has(&skus[3], 10).await;

    // A reservation whose client chose the id is usually in another partition than its item.
    for name in ["order-1", "order-2", "order-3"] {
        let body = json!({"id": name, "quantity": 4, "ttl_s": 600});
        assert_eq!(stock.reserve(&skus[0], body.clone()).await.status, 201);
        let reduced = stock.gives(name, "release", json!({"quantity": 3})).await;
        assert_eq!(reduced.body["items"][0]["quantity"], 1, "{reduced:?}");
        assert_eq!(
            stock.reserve(&skus[0], body).await.body["items"][0]["quantity"],
            4,
            "as it was made"
        );
        let released = stock.gives(name, "release", json!({"quantity": 1})).await;
        assert_eq!(released.body["state"], "released", "{released:?}");
        assert_eq!(stock.counts(&skus[0]).await, (10, 0, 10));
    }
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn across_groups_everything_is_returned_once_under_concurrent_calls() {
    let (scene, _service, stock) = scene().await;
    let inventory = inventory(&scene).await;
    let skus = apart("s", 3);
    for sku in &skus {
        inventory.put(&id(sku), 10, None, Expected::Any).await.unwrap();
    }
    let goods: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    let order = inventory
        .reserve(&terms(&goods, Duration::from_mins(10)), &Name::New)
        .await
        .unwrap();
    let order = order.reservation.id;
    inventory.confirm(&order).await.unwrap();
    // Many at once, and a concurrent confirmation.
    let returns = (0..4).map(|_| inventory.take_back(&order, None, None));
    let (returned, _confirmed) = tokio::join!(join_all(returns), inventory.confirm(&order));
    for returned in returned {
        assert_eq!(returned.unwrap().0.state, State::Returned);
    }
    for sku in &skus {
        assert_eq!(stock.counts(sku).await, (10, 0, 10), "{sku}");
    }
    Books::read(&scene).await.balance();
    assert!(Books::read(&scene).await.behind().is_empty());
}

#[actix_web::test]
async fn the_holds_of_an_owner_are_listed_and_released_in_pages() {
    let (scene, _service, stock) = scene().await;
    let owner = "auth0|5f7c +\"}";
    let skus = apart("s", 4);
    for sku in &skus {
        stock.has(sku, 1_000).await;
    }
    let mut held = Vec::new();
    for n in 0..60 {
        let body = json!({"quantity": 1, "ttl_s": 600, "owner": if n % 3 == 0 { "other" } else { owner }});
        let made = stock.reserve(&skus[n % 4], body).await;
        held.push(made.body["id"].as_str().unwrap().to_owned());
    }
    let both = json!({"items": [{"sku": skus[0], "quantity": 1}, {"sku": skus[1], "quantity": 1}], "ttl_s": 600, "owner": owner});
    let both = stock.post("/v1/reservations", both).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut expected: Vec<String> = (0..60).filter(|n| n % 3 != 0).map(|n| held[n].clone()).collect();
    // Reservations that are not held any more are not listed.
    stock.to(&expected.remove(0), "confirm").await;
    stock.to(&expected.remove(0), "release").await;
    expected.push(both);
    expected.sort_unstable();
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stock.of_owner(Method::GET, owner, &format!("&limit=7{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let holds = page.body["reservations"].as_array().unwrap();
        assert!(
            holds.len() <= 7 && holds.iter().all(|hold| hold["owner"] == owner),
            "{page:?}"
        );
        listed.extend(holds.iter().map(|hold| hold["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    listed.sort_unstable();
    assert_eq!(listed, expected);
    let (mut released, mut cursor) = (0, String::new());
    loop {
        let piece = stock
            .of_owner(Method::DELETE, owner, &format!("&limit=7{cursor}"))
            .await;
        assert!(piece.body["released"].as_u64().unwrap() <= 7, "{piece:?}");
        released += piece.body["released"].as_u64().unwrap();
        let Some(next) = piece.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(released, expected.len() as u64);
    let left = stock.of_owner(Method::GET, owner, "").await;
    assert_eq!(left.body, json!({"reservations": [], "next": null}));
    let others = stock.of_owner(Method::GET, "other", "").await;
    assert_eq!(others.body["reservations"].as_array().unwrap().len(), 20);
    Books::read(&scene).await.balance();
    for wrong in ["&limit=0", "&limit=x", "&cursor=16.0."] {
        stock
            .of_owner(Method::DELETE, owner, wrong)
            .await
            .assert_problem(422, &[&format!("/{}", &wrong[1..].split('=').next().unwrap())]);
    }
    // An owner that is not text is distinguished from another owner.
    stock.0.get("/v1/reservations?owner=%FF").await.assert_problem(400, &[]);
    stock.0.get("/v1/reservations").await.assert_problem(422, &["/owner"]);
}

#[actix_web::test]
async fn a_count_below_what_is_reserved_makes_an_item_oversold() {
    let (scene, _service, stock) = scene().await;
    let sold = stock.hold("seat", 4, 600).await;
    stock.to(&sold, "confirm").await;
    let held = stock.hold("seat", 4, 600).await;
    let less = json!({"quantity": 3});
    assert_conflict(&stock.put("seat", less).await, "below_reserved");
    let counted = stock.put("seat", json!({"quantity": 3, "allow_oversold": true})).await;
    assert_eq!(counted.status, 200, "{counted:?}");
    let oversold = |item: &Value| (item["available"].clone(), item["oversold"].clone());
    assert_eq!(oversold(&counted.body), (json!(0), json!(5)));
    let listed = stock.0.get("/v1/inventory").await;
    assert_eq!(oversold(&listed.body["items"][0]), (json!(0), json!(5)));
    let refused = stock.reserve("seat", json!({"quantity": 1, "ttl_s": 60})).await;
    assert_conflict(&refused, "insufficient_stock");
    assert_eq!(refused.body["available"], 0);
    // Stock that is not on hand cannot be consumed; held stock stays held.
    let leave = stock.adjust("seat", json!({"delta": -4, "reservation": sold})).await;
    assert_conflict(&leave, "insufficient_stock");
    assert_conflict(&stock.adjust("seat", json!({"delta": -1})).await, "below_reserved");
    assert_eq!(stock.to(&held, "confirm").await.status, 200);
    // New stock and returns reduce the oversold quantity.
    assert_eq!(
        oversold(&stock.adjust("seat", json!({"delta": 2})).await.body),
        (json!(0), json!(3))
    );
    stock.gives(&held, "return", json!({"quantity": 3})).await;
    let item = stock.item("seat").await.body;
    assert_eq!((item.get("oversold"), &item["available"]), (None, &json!(0)));
    assert_eq!(
        stock
            .adjust("seat", json!({"delta": -4, "reservation": sold}))
            .await
            .status,
        200
    );
    stock.to(&held, "return").await;
    assert_eq!(stock.counts("seat").await, (1, 0, 1));
    Books::read(&scene).await.balance();
}
