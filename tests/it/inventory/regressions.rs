//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::Stock;
use super::books::Books;
use crate::support::Scene;
use futures_util::future::join_all;
use redis::cmd;
use serde_json::json;
use std::collections::BTreeMap;

#[actix_web::test]
async fn a_blind_overwrite_does_not_race_a_reservation() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (stock, other) = (Stock(one.drivers()), Stock(two.drivers()));
    stock.has("seat", 10).await;
    let reserving = join_all((0..40).map(|_| stock.reserve("seat", json!({"quantity": 1, "ttl_s": 60}))));
    let writing = join_all((0..40).map(|n| other.put("seat", json!({"quantity": 5 + n % 6}))));
    let (reserved, written) = tokio::join!(reserving, writing);
    let held = reserved.iter().filter(|answer| answer.status == 201).count() as u64;
    assert!(
        reserved
            .iter()
            .all(|answer| answer.status == 201 || answer.status == 409),
        "{reserved:?}"
    );
    for answer in &written {
        match answer.status {
            200 => assert!(
                answer.body["quantity"].as_u64() >= answer.body["reserved"].as_u64(),
                "{answer:?}"
            ),
            _ => answer.assert_problem(409, &[]),
        }
    }
    assert_eq!(stock.counts("seat").await.1, held);
    Books::read(&scene).await.balance();
    let below = stock.put("seat", json!({"quantity": held - 1})).await;
    below.assert_problem(409, &[]);
    assert_eq!(below.body["reserved"], held);
    let below = stock.adjust("seat", json!({"delta": -10})).await;
    below.assert_problem(409, &[]);
}

#[actix_web::test]
async fn the_available_quantity_is_computed_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 987_654).await;
    stock.hold("seat", 123_456, 60).await;
    assert_eq!(stock.counts("seat").await, (987_654, 123_456, 864_198));
    let partition = fleetpulse::store::Keys::inventory_partition("seat");
    let key = scene.keys().inventory_items(partition);
    let items: BTreeMap<String, String> = scene.redis.query(cmd("HGETALL").arg(key)).await;
    assert!(items["seat"].starts_with("987654 123456 0 "), "{items:?}");
    assert!(!items["seat"].contains("864198"), "{items:?}");
}

#[actix_web::test]
async fn a_hold_has_an_id_an_owner_an_expiry_and_is_confirmed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 1).await;
    let hold = stock
        .reserve("seat", json!({"quantity": 1, "ttl_s": 60, "owner": "rider-7"}))
        .await
        .body;
    for member in ["id", "owner", "expires_at"] {
        assert!(hold[member].is_string(), "{member}: {hold}");
    }
    let confirmed = stock.to(hold["id"].as_str().unwrap(), "confirm").await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("confirmed")));
}

#[actix_web::test]
async fn a_double_release_does_not_inflate_the_stock() {
    let scene = Scene::new().await;
    let (one, two) = (scene.start().await, scene.start().await);
    let (stock, other) = (Stock(one.drivers()), Stock(two.drivers()));
    stock.has("seat", 10).await;
    let hold = stock.hold("seat", 4, 60).await;
    let releases = (0..20).map(|n| {
        if n % 2 == 0 {
            stock.to(&hold, "release")
        } else {
            other.to(&hold, "release")
        }
    });
    for answer in join_all(releases).await {
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!("released")));
    }
    assert_eq!(stock.counts("seat").await, (10, 0, 10));
    Books::read(&scene).await.balance();
}
