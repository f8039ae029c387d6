//! Redis is unavailable, frozen, and available again.

use super::books::Books;
use super::{Expected, SOON, Stock, apart, id, inventory, terms};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::inventory::Name;
use redis::cmd;
use serde_json::json;
use std::time::{Duration, Instant};

#[actix_web::test]
async fn without_redis_every_call_is_refused_at_once_with_a_retry_time() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=300"]);
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let hold = stock.hold("seat", 2, 600).await;
    scene.redis.kill();
    eventually(SOON, "it is noticed", async || {
        (stock.item("seat").await.status == 503).then_some(())
    })
    .await;
    let asked = Instant::now();
    for answer in [
        stock.put("seat", json!({"quantity": 1})).await,
        stock.put("seat", json!({"quantity": 1, "group": "g"})).await,
        stock.item("seat").await,
        stock.adjust("seat", json!({"delta": 1})).await,
        stock.delete("seat").await,
        stock.0.get("/v1/inventory").await,
        stock.reserve("seat", json!({"quantity": 1, "ttl_s": 60})).await,
        stock
            .reserve("seat", json!({"quantity": 1, "ttl_s": 60, "id": "order-1"}))
            .await,
        stock.reservation(&hold).await,
        stock.to(&hold, "confirm").await,
        stock.to(&hold, "release").await,
        stock.to(&hold, "extend").await,
    ] {
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    // Two workers may each have to detect it by a broken connection; no timeout has to pass.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());

    scene.redis.restart().await;
    eventually(SOON, "both workers are back", async || {
        for _ in 0..8 {
            if stock.item("seat").await.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert_eq!(stock.counts("seat").await, (10, 2, 8));
    assert_eq!(stock.to(&hold, "confirm").await.status, 200);
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn after_a_freeze_a_retry_with_the_same_key_returns_the_outcome() {
    let scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=300"]);
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let (path, body) = ("/v1/inventory/seat/reservations", json!({"quantity": 3, "ttl_s": 600}));
    scene.redis.freeze();
    let asked = Instant::now();
    let lost = stock.keyed(path, "k-1", body.clone()).await;
    lost.assert_problem(503, &[]);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    scene.redis.thaw();
    let made = eventually(SOON, "it is answered", async || {
        let answer = stock.keyed(path, "k-1", body.clone()).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    assert_eq!(made.body["state"], "held");
    assert_eq!(stock.counts("seat").await, (10, 3, 7));
    Books::read(&scene).await.balance();
}

#[actix_web::test]
async fn a_full_redis_accepts_releases_and_refuses_reservations() {
    let scene = Scene::on(Redis::durable().await).with(&["--inventory-keep=1"]);
    let service = scene.start().await;
    let (stock, inventory) = (Stock(service.drivers()), inventory(&scene).await);
    let skus = apart("sku", 3);
    for sku in &skus {
        stock.has(sku, 5).await;
    }
    let released = stock.hold(&skus[0], 2, 600).await;
    let confirmed = stock.hold(&skus[1], 2, 600).await;
    let across: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
    let across = stock
        .post("/v1/reservations", json!({"items": across, "ttl_s": 600}))
        .await;
    let across = across.body["id"].as_str().unwrap().to_owned();
    let short = terms(&[(&skus[2], 4)], Duration::from_millis(300));
    inventory.reserve(&short, &Name::New).await.unwrap();
    let set = |bytes: &'static str| cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    scene.redis.query::<()>(&set("1")).await;

    // It ends by itself, whether a call or the sweep comes first.
    eventually(SOON, "what ran out is back", async || {
        (stock.counts(&skus[2]).await == (5, 1, 4)).then_some(())
    })
    .await;
    for sku in &skus {
        let refused = stock.reserve(sku, json!({"quantity": 1, "ttl_s": 60})).await;
        refused.assert_problem(503, &[]);
    }
    let part = format!("/v1/reservations/{released}/release");
    assert_eq!(stock.keyed(&part, "k", json!({"quantity": 1})).await.status, 200);
    for reservation in [&released, &across] {
        let answer = stock.to(reservation, "release").await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!("released")));
    }
    assert_eq!(stock.to(&confirmed, "confirm").await.status, 200);
    let part = format!("/v1/reservations/{confirmed}/return");
    assert_eq!(stock.keyed(&part, "k", json!({"quantity": 1})).await.status, 200);
    eventually(SOON, "the parts are back as well", async || {
        let books = Books::read(&scene).await;
        (books.behind().is_empty() && books.items[&skus[0]] == (5, 0, 0)).then_some(())
    })
    .await;
    for reservation in [&released, &across] {
        eventually(SOON, "it is forgotten", async || {
            (stock.reservation(reservation).await.status == 404).then_some(())
        })
        .await;
    }
    assert_eq!(stock.state(&confirmed).await, "confirmed");
    assert_eq!(stock.delete(&skus[2]).await.status, 204);
    inventory.put(&id("new"), 1, None, Expected::Any).await.unwrap_err();

    scene.redis.query::<()>(&set("0")).await;
    stock.hold(&skus[0], 5, 60).await;
    Books::read(&scene).await.balance();
}
