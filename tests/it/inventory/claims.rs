//! The entries that contain the groups of items: they exist as long as the item, and for some time before and after.

use super::{Expected, SOON, Stock, at, id, inventory};
use crate::support::{Disconnect, Proxy, Raw, Redis, Scene, Service, eventually, send};
use fleetpulse::inventory::InventoryError;
use fleetpulse::store::Keys;
use redis::cmd;
use reqwest::Method;
use serde_json::json;

/// How long the entry of an item's group lasts, ms; -1 without expiry, -2 if there is none.
async fn entry_lasts<R: AsRef<Redis>>(scene: &Scene<R>, sku: &str) -> i64 {
    let key = scene.keys().inventory_group(&id(sku));
    scene.redis.as_ref().query(cmd("PTTL").arg(key)).await
}

#[actix_web::test]
async fn a_refused_call_claims_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    for (sku, group) in [("x", None), ("y", Some("g2"))] {
        stock
            .put(sku, json!({"quantity": 1, "group": "g1", "version": 5}))
            .await
            .assert_problem(409, &[]);
        assert_eq!(entry_lasts(&scene, sku).await, -2, "{sku}");
        let body = group.map_or(json!({"quantity": 1}), |group| json!({"quantity": 1, "group": group}));
        let made = stock.put(sku, body).await;
        assert_eq!((made.status, made.body["group"].as_str()), (201, group), "{made:?}");
    }
    // An existing claim stays, with its expiry.
    for lasts in [-1, 0] {
        if lasts == 0 {
            stock.delete("y").await;
        }
        stock
            .put("y", json!({"quantity": 1, "group": "g2", "version": 5}))
            .await
            .assert_problem(409, &[]);
        assert_eq!(entry_lasts(&scene, "y").await.signum(), if lasts == 0 { 1 } else { -1 });
    }
}

#[actix_web::test]
async fn an_interrupted_claim_expires() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let group = id("g");
    // Its item cannot be created.
    let items = scene.keys().inventory_items(Keys::inventory_partition("g"));
    scene.redis.query::<()>(cmd("SET").arg(&items).arg("broken")).await;
    let lost = inventory
        .put(&id("x"), 1, Some(&group), Expected::Any)
        .await
        .unwrap_err();
    assert!(matches!(lost, InventoryError::Store(_)), "{lost}");
    let lasts = entry_lasts(&scene, "x").await;
    assert!(lasts > 0, "{lasts}");
    scene.redis.query::<()>(cmd("DEL").arg(&items)).await;
    inventory.put(&id("x"), 1, Some(&group), Expected::Any).await.unwrap();
    assert_eq!(entry_lasts(&scene, "x").await, -1);
}

#[actix_web::test]
async fn a_repeated_deletion_lets_the_group_entry_expire() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.put("x", json!({"quantity": 1, "group": "g"})).await;
    assert_eq!(stock.delete("x").await.status, 204);
    // As if the call that deleted it had been interrupted before that.
    let key = scene.keys().inventory_group(&id("x"));
    scene.redis.query::<()>(cmd("PERSIST").arg(key)).await;
    assert_eq!(entry_lasts(&scene, "x").await, -1);
    assert_eq!(stock.delete("x").await.status, 204);
    assert!(entry_lasts(&scene, "x").await > 0);
}

#[actix_web::test]
async fn a_refused_call_does_not_change_the_claim_of_another() {
    let scene = Scene::new().await;
    let (one, two) = (inventory(&scene).await, inventory(&scene).await);
    let group = id("g");
    for n in 0..100 {
        let sku = id(&format!("seat-{n}"));
        let (refused, made) = tokio::join!(
            one.put(&sku, 1, Some(&group), Expected::Version(5)),
            two.put(&sku, 1, Some(&group), Expected::Any),
        );
        assert!(
            made.is_ok() && matches!(refused, Err(InventoryError::Version { .. })),
            "{refused:?} {made:?}"
        );
        assert_eq!(entry_lasts(&scene, &sku).await, -1, "{sku}");
    }
}

#[actix_web::test]
async fn a_client_that_resets_its_connection_leaves_no_item_half_created_or_half_deleted() {
    let scene = Scene::new().await.with(&["--redis-timeout=20000", "--workers=1"]);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let service = Service::start(&args).await;
    let stock = Stock(service.drivers());
    // Redis has the scripts, so that each step is one command.
    stock.put("warm", json!({"quantity": 1, "group": "warm-group"})).await;
    stock.delete("warm").await;
    let body = r#"{"quantity":1,"group":"g"}"#;
    let put = format!(
        "PUT /v1/inventory/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let delete = "DELETE /v1/inventory/x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let is_there = async || {
        send(service.drivers().request(Method::GET, "/v1/inventory/x"))
            .await
            .status
            == 200
    };
    for (request, lasts, there) in [(put, -1, true), (delete, 1, false)] {
        // The client disconnects when the item is created or deleted, and before its group entry is updated.
        proxy.keep_back(":names");
        let mut client = Raw::connect(&service.url()).await;
        client.send(request).await;
        proxy.keeps_something().await;
        client.leave(Disconnect::Rst);
        proxy.let_go().await;
        eventually(SOON, "it is carried out to its end", async || {
            let done = entry_lasts(&scene, "x").await.signum() == lasts && is_there().await == there;
            done.then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn an_item_whose_creation_or_deletion_was_not_answered_is_reconciled_with_its_group() {
    let scene = Scene::new().await;
    let (direct, proxy) = (inventory(&scene).await, Proxy::to(&scene.redis.url()).await);
    let cut_off = at(&proxy.url(), &scene).await;
    let (x, group) = (id("x"), id("g"));
    direct.put(&id("warm"), 1, Some(&group), Expected::Any).await.unwrap();
    direct.remove(&id("warm"), Expected::Any).await.unwrap();
    for (deletes, began, lasts) in [(false, 1, -1), (true, -1, 1)] {
        if deletes {
            // Its group is known.
            cut_off.item(&x).await.unwrap();
        }
        // Executed, except for the group entry.
        proxy.keep_answers_back(":names");
        let cutting = async {
            proxy.keeps_something().await;
            proxy.cut();
            proxy.let_go().await;
        };
        let call = async {
            if deletes {
                cut_off.remove(&x, Expected::Any).await
            } else {
                cut_off.put(&x, 1, Some(&group), Expected::Any).await.map(drop)
            }
        };
        let (lost, ()) = tokio::join!(call, cutting);
        assert!(matches!(lost, Err(InventoryError::Store(_))), "{lost:?}");
        assert_eq!(direct.item(&x).await.is_err(), deletes);
        assert_eq!(entry_lasts(&scene, "x").await.signum(), began);
        // The caller does not repeat the call.
        proxy.mend();
        eventually(SOON, "the entry is as the item is", async || {
            (entry_lasts(&scene, "x").await.signum() == lasts).then_some(())
        })
        .await;
    }
}
