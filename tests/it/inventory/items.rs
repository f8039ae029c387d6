//! Items and their quantities.

use super::Stock;
use crate::support::{Proxy, Scene, Service, send};
use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[actix_web::test]
async fn an_item_is_set_read_adjusted_and_deleted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.item("seat").await.assert_problem(404, &[]);

    let made = stock.put("seat", json!({"quantity": 100})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let item = made.body;
    assert_eq!(item["sku"], "seat");
    let version = item["version"].as_u64().unwrap();
    assert_eq!(
        (&item["quantity"], &item["reserved"], &item["available"]),
        (&json!(100), &json!(0), &json!(100))
    );
    assert!(item["updated_at"].as_str().unwrap().ends_with('Z'), "{item}");
    assert_eq!(stock.item("seat").await.body, item);

    let set = stock.put("seat", json!({"quantity": 50})).await;
    assert_eq!((set.status, &set.body["version"]), (200, &json!(version + 1)));
    let adjusted = stock.adjust("seat", json!({"delta": -3})).await;
    assert_eq!((adjusted.status, &adjusted.body["quantity"]), (200, &json!(47)));

    assert_eq!(stock.delete("seat").await.status, 204);
    stock.item("seat").await.assert_problem(404, &[]);
    assert_eq!(stock.delete("seat").await.status, 204);
    stock.adjust("seat", json!({"delta": 1})).await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn the_largest_quantity_is_stored_exactly() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let most = (1_u64 << 53) - 1;
    stock.has("much", most).await;
    stock.hold("much", most - 1, 60).await;
    assert_eq!(stock.counts("much").await, (most, most - 1, 1));
    stock
        .adjust("much", json!({"delta": 1}))
        .await
        .assert_problem(422, &["/delta"]);
    assert_eq!(
        stock.adjust("much", json!({"delta": -1})).await.body["quantity"],
        most - 1
    );
}

#[actix_web::test]
async fn a_change_may_require_a_version() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let put = async |headers: &[(&str, &str)], body: Value| {
        let mut request = stock.0.request(Method::PUT, "/v1/inventory/s").json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    };
    let (if_match, if_none_match) = (IF_MATCH.as_str(), IF_NONE_MATCH.as_str());
    put(&[(if_match, "*")], json!({"quantity": 1}))
        .await
        .assert_problem(412, &[]);
    put(&[(if_match, "\"1\"")], json!({"quantity": 1}))
        .await
        .assert_problem(412, &[]);
    let conflict = put(&[], json!({"quantity": 1, "version": 1})).await;
    conflict.assert_problem(409, &[]);
    assert_eq!(conflict.body["version"], 0);
    assert_eq!(put(&[(if_none_match, "*")], json!({"quantity": 1})).await.status, 201);
    put(&[(if_none_match, "*")], json!({"quantity": 1}))
        .await
        .assert_problem(412, &[]);

    let etag = stock.0.request(Method::GET, "/v1/inventory/s").send().await.unwrap();
    let etag = etag.headers()[ETAG].to_str().unwrap().to_owned();
    let version: u64 = etag.trim_matches('"').parse().unwrap();
    assert_eq!(stock.item("s").await.body["version"], version);
    let tag = |version: u64| format!("\"{version}\"");
    assert_eq!(etag, tag(version));
    // A reservation does not invalidate it.
    stock.hold("s", 1, 60).await;
    assert_eq!(put(&[(if_match, &etag)], json!({"quantity": 5})).await.status, 200);
    put(&[(if_match, &etag)], json!({"quantity": 6}))
        .await
        .assert_problem(412, &[]);
    let conflict = put(&[], json!({"quantity": 6, "version": version})).await;
    conflict.assert_problem(409, &[]);
    assert_eq!(conflict.body["version"], version + 1);
    let set = put(&[], json!({"quantity": 6, "version": version + 1})).await;
    assert_eq!(set.status, 200);
    put(
        &[(if_match, &tag(version + 2))],
        json!({"quantity": 6, "version": version + 1}),
    )
    .await
    .assert_problem(422, &["/version"]);

    stock
        .adjust("s", json!({"delta": 1, "version": version + 1}))
        .await
        .assert_problem(409, &[]);
    let adjusted = stock.adjust("s", json!({"delta": 1, "version": version + 2})).await;
    assert_eq!(adjusted.status, 200);
    let delete = stock
        .0
        .request(Method::DELETE, "/v1/inventory/s")
        .header(if_match, tag(version + 2));
    send(delete).await.assert_problem(412, &[]);
    assert_eq!(stock.counts("s").await, (7, 1, 6));
}

#[actix_web::test]
async fn no_version_is_used_twice_even_if_the_item_is_deleted_in_between() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        for quantity in 0..3 {
            let item = stock.put("s", json!({ "quantity": quantity })).await;
            assert!(seen.insert(item.body["version"].as_u64().unwrap()), "{seen:?}");
        }
        stock.delete("s").await;
    }
}

#[actix_web::test]
async fn no_version_is_used_twice_if_the_item_is_created_again_in_a_group() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    // Of several, so that most groups are in another partition.
    for sku in ["a", "b", "c", "d"] {
        let mut latest = 0;
        for quantity in 0..9 {
            latest = stock.put(sku, json!({ "quantity": quantity })).await.body["version"]
                .as_u64()
                .unwrap();
        }
        stock.delete(sku).await;
        let again = stock.put(sku, json!({"quantity": 1, "group": "shuttle-7"})).await;
        assert_eq!(again.status, 201, "{again:?}");
        assert!(
            again.body["version"].as_u64().unwrap() > latest,
            "{sku}: {latest} {again:?}"
        );
    }
}

#[actix_web::test]
async fn a_held_item_cannot_be_deleted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("s", 3).await;
    let (held, confirmed) = (stock.hold("s", 1, 60).await, stock.hold("s", 1, 60).await);
    stock.to(&confirmed, "confirm").await;
    let refused = stock.delete("s").await;
    refused.assert_problem(409, &[]);
    assert_eq!(refused.body["held"], 1);
    stock.to(&held, "release").await;
    assert_eq!(stock.delete("s").await.status, 204);
    // The new item does not count what was confirmed of the old one.
    stock.has("s", 1).await;
    assert_eq!(stock.counts("s").await, (1, 0, 1));
    let gone = json!({"delta": -1, "reservation": confirmed});
    assert_eq!(stock.adjust("s", gone).await.status, 200);
    assert_eq!(stock.counts("s").await, (1, 0, 1));
}

#[actix_web::test]
async fn confirmed_goods_are_consumed_once() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("scooter", 5).await;
    let version = stock.item("scooter").await.body["version"].as_u64().unwrap();
    let (ride, held) = (stock.hold("scooter", 2, 60).await, stock.hold("scooter", 1, 60).await);
    let leaves = |id: &str, delta: i64| json!({"delta": delta, "reservation": id});
    stock
        .adjust("scooter", leaves(&ride, -2))
        .await
        .assert_problem(409, &[]);
    stock.to(&ride, "confirm").await;
    stock
        .adjust("scooter", leaves(&ride, -1))
        .await
        .assert_problem(422, &["/delta"]);
    stock
        .adjust("scooter", leaves(&ride, 2))
        .await
        .assert_problem(422, &["/delta"]);
    stock
        .adjust("scooter", leaves("unknown", -2))
        .await
        .assert_problem(404, &[]);
    for _ in 0..3 {
        let left = stock.adjust("scooter", leaves(&ride, -2)).await;
        assert_eq!(
            (left.status, &left.body["quantity"], &left.body["version"]),
            (200, &json!(3), &json!(version + 1))
        );
    }
    assert_eq!(stock.counts("scooter").await, (3, 1, 2));
    assert_eq!(stock.state(&ride).await, "confirmed");
    assert_eq!(stock.to(&held, "release").await.status, 200);
}

#[actix_web::test]
async fn a_listing_returns_every_item_once_page_by_page() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    let names: BTreeSet<String> = (0..57).map(|n| format!("item-{n:02}")).collect();
    for name in &names {
        stock.has(name, 1).await;
    }
    stock.has("deleted", 1).await;
    stock.delete("deleted").await;
    for limit in [1, 10, 57, 500] {
        let (mut listed, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = stock.0.get(&format!("/v1/inventory?limit={limit}{cursor}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let items = page.body["items"].as_array().unwrap();
            assert!(items.len() <= limit, "{limit}");
            listed.extend(items.iter().map(|item| item["sku"].as_str().unwrap().to_owned()));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(listed.len(), names.len(), "{limit}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names, "{limit}");
    }
}

#[actix_web::test]
async fn a_version_that_changes_within_the_list_of_if_match_is_matched() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let (late, other) = (Service::start(&args).await, scene.start().await);
    let (late, other) = (Stock(late.drivers()), Stock(other.drivers()));
    let version = late.put("seat", json!({"quantity": 5})).await.body["version"]
        .as_u64()
        .unwrap();
    let both = format!("\"{version}\", \"{}\"", version + 1);
    // In transit while another change is carried out first.
    proxy.keep_back(":names");
    let put = async {
        let request = late
            .0
            .request(Method::PUT, "/v1/inventory/seat")
            .header("If-Match", &both);
        send(request.json(&json!({"quantity": 9}))).await
    };
    let moving = async {
        proxy.keeps_something().await;
        let moved = other.adjust("seat", json!({"delta": 1})).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        proxy.let_go().await;
    };
    let (put, ()) = tokio::join!(put, moving);
    assert_eq!(
        (put.status, put.body["version"].as_u64()),
        (200, Some(version + 2)),
        "{put:?}"
    );
    let gone = other
        .0
        .request(Method::DELETE, "/v1/inventory/seat")
        .header("If-Match", &both);
    send(gone).await.assert_problem(412, &[]);
}
