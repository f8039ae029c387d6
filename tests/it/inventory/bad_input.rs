//! Anything a client can send: a clear 4xx, and nothing stored.

use super::books::Books;
use super::{Expected, Stock, id, inventory, terms};
use crate::support::{Scene, send};
use fleetpulse::inventory::{Goods, InventoryError, Name};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;

const HOLD: &str = "/v1/inventory/seat/reservations";

#[actix_web::test]
async fn an_invalid_body_is_refused_and_nothing_is_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let (before, item) = (scene.stored_for_callers().await, stock.item("seat").await);
    let (put, post) = (Method::PUT, Method::POST);
    let (seat, adjust, many) = ("/v1/inventory/seat", "/v1/inventory/seat/adjust", "/v1/reservations");
    let extend = "/v1/reservations/r0.x/extend";
    let long = format!(r#"{{"quantity": 1, "ttl_s": 60, "owner": "{}"}}"#, "x".repeat(257));
    let of_51: Vec<String> = (0..51)
        .map(|n| format!(r#"{{"sku": "s{n}", "quantity": 1}}"#))
        .collect();
    let of_51 = format!(r#"{{"items": [{}], "ttl_s": 60}}"#, of_51.join(","));
    for (method, path, body, pointers) in [
        (&put, seat, "{}", &["/quantity"][..]),
        (&put, seat, r#"{"quantity": -1}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": 1.5}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": "3"}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": 9007199254740992}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": 18446744073709551615}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": 1e300}"#, &["/quantity"]),
        (&put, seat, r#"{"quantity": 1, "version": -1}"#, &["/version"]),
        (&put, seat, r#"{"quantity": 1, "group": "a b"}"#, &["/group"]),
        (&put, seat, r#"{"quantity": 1, "group": "{x}"}"#, &["/group"]),
        (&put, seat, "[]", &[""]),
        (&post, adjust, "{}", &["/delta"]),
        (&post, adjust, r#"{"delta": 0}"#, &["/delta"]),
        (&post, adjust, r#"{"delta": 9007199254740992}"#, &["/delta"]),
        (&post, adjust, r#"{"delta": -9007199254740992}"#, &["/delta"]),
        (&post, adjust, r#"{"delta": -1, "reservation": ""}"#, &["/reservation"]),
        (&post, HOLD, "{}", &["/quantity", "/ttl_s"]),
        (&post, HOLD, r#"{"quantity": 0, "ttl_s": 60}"#, &["/quantity"]),
        (&post, HOLD, r#"{"quantity": -5, "ttl_s": 60}"#, &["/quantity"]),
        (
            &post,
            HOLD,
            r#"{"quantity": 9007199254740992, "ttl_s": 60}"#,
            &["/quantity"],
        ),
        (
            &post,
            HOLD,
            r#"{"quantity": 9223372036854775808, "ttl_s": 60}"#,
            &["/quantity"],
        ),
        (
            &post,
            HOLD,
            r#"{"quantity": true, "ttl_s": null}"#,
            &["/quantity", "/ttl_s"],
        ),
        (&post, HOLD, r#"{"quantity": 1, "ttl_s": 0}"#, &["/ttl_s"]),
        (&post, HOLD, r#"{"quantity": 1, "ttl_s": -60}"#, &["/ttl_s"]),
        (&post, HOLD, r#"{"quantity": 1, "ttl_s": 3155760000}"#, &["/ttl_s"]),
        (&post, HOLD, r#"{"quantity": 1, "ttl_s": 0.5}"#, &["/ttl_s"]),
        (
            &post,
            HOLD,
            r#"{"quantity": 1, "ttl_s": 60, "owner": "a\nb"}"#,
            &["/owner"],
        ),
        (
            &post,
            HOLD,
            r#"{"quantity": 1, "ttl_s": 60, "owner": "."}"#,
            &["/owner"],
        ),
        (&post, HOLD, r#"{"quantity": 1, "ttl_s": 60, "id": "a/b"}"#, &["/id"]),
        (&post, HOLD, long.as_str(), &["/owner"]),
        (&post, many, r#"{"items": [], "ttl_s": 60}"#, &["/items"]),
        (&post, many, of_51.as_str(), &["/items"]),
        (
            &post,
            many,
            r#"{"items": [7, {"sku": "seat"}], "ttl_s": 60}"#,
            &["/items/0", "/items/1/quantity"],
        ),
        (
            &post,
            many,
            r#"{"items": [{"sku": "seat", "quantity": 1}, {"sku": "seat", "quantity": 2}], "ttl_s": 60}"#,
            &["/items"],
        ),
        (
            &post,
            many,
            r#"{"items": [{"sku": "{}", "quantity": 0}], "ttl_s": 1}"#,
            &["/items/0/sku", "/items/0/quantity"],
        ),
        (&post, extend, r#"{"ttl_s": 3155760000}"#, &["/ttl_s"]),
        (&post, extend, "{}", &["/ttl_s"]),
    ] {
        let request = stock
            .0
            .request(method.clone(), path)
            .header(CONTENT_TYPE, "application/json");
        let answer = send(request.body(body.to_owned())).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        answer.assert_problem(422, pointers);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    assert_eq!(stock.item("seat").await, item);
}

#[actix_web::test]
async fn an_unreadable_body_is_a_400_and_a_wrong_media_type_a_415() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let item = stock.item("seat").await;
    for body in [
        "",
        "{",
        "quantity=1",
        "\u{0}",
        "{\"quantity\": 01, \"ttl_s\": 5}",
        "{\"quantity\": NaN}",
    ] {
        let request = stock.0.request(Method::POST, HOLD).body(body);
        send(request).await.assert_problem(400, &[]);
        let request = stock.0.request(Method::PUT, "/v1/inventory/seat").body(body);
        send(request).await.assert_problem(400, &[]);
    }
    let request = stock.0.request(Method::POST, HOLD).header(CONTENT_TYPE, "text/plain");
    send(request.body("{}")).await.assert_problem(415, &[]);
    let request = stock.0.request(Method::POST, HOLD).body(" ".repeat(20_000));
    send(request).await.assert_problem(413, &[]);
    let request = stock
        .0
        .request(Method::PUT, "/v1/inventory/seat")
        .header("If-Match", "3");
    send(request.body(r#"{"quantity": 1}"#)).await.assert_problem(400, &[]);
    assert_eq!(stock.item("seat").await, item);
}

#[actix_web::test]
async fn names_queries_and_keys_outside_their_alphabet_are_refused() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let stock = Stock(service.drivers());
    stock.has("seat", 10).await;
    let before = scene.stored_for_callers().await;
    let long = "x".repeat(129);
    for name in ["%7Ba%7D", "a%20b", "%00", "a%2Fb", "%F0%9F%9A%95", long.as_str()] {
        stock.item(name).await.assert_problem(422, &["/sku"]);
        stock.delete(name).await.assert_problem(422, &["/sku"]);
        stock.reservation(name).await.assert_problem(422, &["/id"]);
        for verb in ["confirm", "release", "extend"] {
            stock.to(name, verb).await.assert_problem(422, &["/id"]);
        }
    }
    for path in [
        "/v1/inventory/seat?x=1",
        "/v1/inventory?before=1",
        "/v1/reservations/r0.x?x",
    ] {
        stock.0.get(path).await.assert_problem(400, &[]);
    }
    for (query, pointers) in [
        ("limit=0", &["/limit"][..]),
        ("limit=501", &["/limit"]),
        ("limit=x", &["/limit"]),
        ("cursor=99.a", &["/cursor"]),
        ("cursor=&limit=-1", &["/limit", "/cursor"]),
    ] {
        stock
            .0
            .get(&format!("/v1/inventory?{query}"))
            .await
            .assert_problem(422, pointers);
    }
    let body = serde_json::json!({"quantity": 1, "ttl_s": 60});
    let too_long = "k".repeat(257);
    for key in ["", "..", "\"open", too_long.as_str()] {
        stock
            .keyed(HOLD, key, body.clone())
            .await
            .assert_problem(422, &["/Idempotency-Key"]);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    assert_eq!(stock.keyed(HOLD, &"k".repeat(256), body).await.status, 201);
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(said: Result<T, InventoryError>, of: &str) {
    match said {
        Err(InventoryError::Unacceptable { field, .. }) => assert_eq!(field, of),
        other => panic!("{of}: {other:?}"),
    }
}

#[actix_web::test]
async fn the_rust_interface_refuses_values_out_of_range() {
    let scene = Scene::new().await;
    let inventory = inventory(&scene).await;
    let (seat, minute) = (id("seat"), Duration::from_mins(1));
    inventory.put(&seat, 10, None, Expected::Any).await.unwrap();
    let before = scene.stored_for_callers().await;
    let reserve = async |goods: &[(&str, u64)], ttl| inventory.reserve(&terms(goods, ttl), &Name::New).await;
    // Each would fit; together they are more than the stock.
    assert_refused(reserve(&[("seat", 6), ("seat", 6)], minute).await, "items");
    assert_refused(reserve(&[], minute).await, "items");
    for quantity in [0, 1 << 53, u64::MAX] {
        assert_refused(reserve(&[("seat", quantity)], minute).await, "quantity");
        let goods = Goods {
            sku: seat.clone(),
            quantity,
        };
        assert_refused(inventory.consume(&id("order-1"), &goods).await, "quantity");
    }
    for ttl in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        assert_refused(reserve(&[("seat", 1)], ttl).await, "ttl_s");
        assert_refused(inventory.extend(&id("order-1"), ttl).await, "ttl_s");
    }
    for quantity in [1 << 53, u64::MAX] {
        assert_refused(inventory.put(&seat, quantity, None, Expected::Any).await, "quantity");
        let version = Expected::Version(quantity);
        assert_refused(inventory.put(&seat, 1, None, version.clone()).await, "version");
        assert_refused(inventory.adjust(&seat, 1, version.clone()).await, "version");
        assert_refused(inventory.remove(&seat, version).await, "version");
    }
    for delta in [0, 1 << 53, i64::MIN, i64::MAX] {
        assert_refused(inventory.adjust(&seat, delta, Expected::Any).await, "delta");
    }
    for count in [0, 501, usize::MAX] {
        assert_refused(inventory.items(None, count).await, "limit");
    }
    assert_eq!(scene.stored_for_callers().await, before);
    assert_eq!(inventory.item(&seat).await.unwrap().available(), 10);
    Books::read(&scene).await.balance();
}
