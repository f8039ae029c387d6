//! Redis away, frozen, and back.

use super::books::Books;
use super::{SOON, Stock};
use crate::support::{Redis, Scene, eventually};
use serde_json::json;
use std::time::{Duration, Instant};

#[actix_web::test]
async fn with_redis_away_every_call_says_at_once_when_to_come_back() {
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
    // Two workers may each have to notice by themselves, by a connection that breaks: no timeout is waited for.
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
async fn a_frozen_redis_may_have_done_it_and_the_same_key_finds_out() {
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
