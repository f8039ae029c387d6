//! The maximum number of items.

use super::*;
use crate::support::eventually;

async fn is_refused(stock: &Stock, sku: &str, item: Value) {
    let refused = stock.put(sku, item).await;
    refused.assert_problem(429, &[]);
    assert_eq!(refused.body["type"], "urn:fleetpulse:problem:too_many_items");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("INVENTORY_MAX_ITEMS"),
        "{refused:?}"
    );
    assert!(refused.retry_after.is_some(), "{refused:?}");
}

#[actix_web::test]
async fn the_number_of_items_is_limited() {
    let scene = Scene::new().await.with(&["--inventory-items=3"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (stock, others) = (Stock(one.drivers()), Stock(other.drivers()));
    stock.has("a", 1).await;
    stock.has("b", 1).await;
    assert_eq!(stock.put("c", json!({"quantity": 1, "group": "g"})).await.status, 201);
    let stored = scene.stored("inv").await;
    is_refused(&stock, "d", json!({"quantity": 1})).await;
    is_refused(&stock, "e", json!({"quantity": 1, "group": "g"})).await;
    assert_eq!(scene.stored("inv").await, stored, "a refused call changes nothing");
    // Existing items keep working.
    stock.has("a", 2).await;
    assert_eq!(stock.put("c", json!({"quantity": 2, "group": "g"})).await.status, 200);
    assert_eq!(stock.adjust("b", json!({"delta": 1})).await.status, 200);
    stock.hold("b", 1, 60).await;

    eventually(SOON, "the other instance has counted them", async || {
        let answer = others.put("f", json!({"quantity": 1})).await;
        if answer.status == 201 {
            // Too early: it is not to count.
            others.delete("f").await;
        }
        (answer.status == 429).then_some(())
    })
    .await;
    assert_eq!(others.delete("a").await.status, 204);
    eventually(SOON, "there is room again", async || {
        (stock.put("d", json!({"quantity": 1})).await.status == 201).then_some(())
    })
    .await;
    is_refused(&stock, "e", json!({"quantity": 1})).await;
}
