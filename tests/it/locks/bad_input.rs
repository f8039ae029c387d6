//! All faults of an invalid request are reported at once, and nothing is stored in Redis.

use super::LockApi;
use crate::support::{Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef";

async fn keys_in_redis(scene: &Scene) -> usize {
    scene.stored("lock").await.len()
}

#[actix_web::test]
async fn an_invalid_body() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let century_ms = 100_u64 * 365 * 24 * 3_600 * 1_000;
    let faults: [(Value, &[&str]); 22] = [
        (json!({}), &["/ttl_ms"]),
        (json!([]), &[""]),
        (json!("ttl"), &[""]),
        (json!({"ttl_ms": null}), &["/ttl_ms"]),
        (json!({"ttl_ms": 0}), &["/ttl_ms"]),
        (json!({"ttl_ms": -1}), &["/ttl_ms"]),
        (json!({"ttl_ms": 99}), &["/ttl_ms"]),
        (json!({"ttl_ms": 3_600_001}), &["/ttl_ms"]),
        (json!({"ttl_ms": century_ms}), &["/ttl_ms"]),
        (json!({"ttl_ms": 1_u64 << 53}), &["/ttl_ms"]),
        (json!({"ttl_ms": u64::MAX}), &["/ttl_ms"]),
        (json!({"ttl_ms": 1e300}), &["/ttl_ms"]),
        (json!({"ttl_ms": 1000.5}), &["/ttl_ms"]),
        (json!({"ttl_ms": "1000"}), &["/ttl_ms"]),
        (json!({"ttl_ms": 1000, "wait_ms": -1}), &["/wait_ms"]),
        (json!({"ttl_ms": 1000, "wait_ms": 60_001}), &["/wait_ms"]),
        (json!({"ttl_ms": 1000, "wait_ms": true}), &["/wait_ms"]),
        (json!({"ttl_ms": 1000, "owner": "a\nb"}), &["/owner"]),
        (json!({"ttl_ms": 1000, "owner": ""}), &["/owner"]),
        (
            json!({"ttl_ms": 1000, "owner": 7, "token": "short"}),
            &["/owner", "/token"],
        ),
        (json!({"ttl_ms": 1000, "token": "0123456789abcdef{"}), &["/token"]),
        (json!({"ttl_ms": 1000, "token": "x".repeat(129)}), &["/token"]),
    ];
    for (body, pointers) in faults {
        locks.acquire("l", body).await.assert_problem(422, pointers);
    }
    for body in [
        json!({}),
        json!({"token": 7}),
        json!({"token": ""}),
        json!({"token": null}),
    ] {
        locks.renew("l", body.clone()).await.assert_problem(422, &["/token"]);
        let release = locks.0.request(Method::DELETE, "/v1/locks/l").json(&body);
        send(release).await.assert_problem(422, &["/token"]);
    }
    let renewal = json!({"token": TOKEN, "ttl_ms": 0});
    locks.renew("l", renewal).await.assert_problem(422, &["/ttl_ms"]);
    assert_eq!(keys_in_redis(&scene).await, 0);
    // `null` counts as not given: the default applies.
    let taken = json!({"ttl_ms": 1000, "wait_ms": null, "owner": null, "token": null});
    assert_eq!(locks.acquire("l", taken).await.status, 201);
}

#[actix_web::test]
async fn a_body_that_cannot_be_read() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (method, path) in [
        (Method::POST, "/v1/locks/l"),
        (Method::POST, "/v1/locks/l/renew"),
        (Method::DELETE, "/v1/locks/l"),
    ] {
        let request = || {
            api.request(method.clone(), path)
                .header("content-type", "application/json")
        };
        for body in ["", "{", "nonsense", "{\"ttl_ms\":1000}}", "\u{0}"] {
            send(request().body(body)).await.assert_problem(400, &[]);
        }
        send(request().body("[".repeat(2_000))).await.assert_problem(400, &[]);
        send(request().body(" ".repeat(5_000))).await.assert_problem(413, &[]);
        let text = api.request(method.clone(), path).header("content-type", "text/plain");
        send(text.body("{}")).await.assert_problem(415, &[]);
    }
    assert_eq!(keys_in_redis(&scene).await, 0);
}

#[actix_web::test]
async fn invalid_names_query_parameters_and_methods() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let long = "x".repeat(129);
    for name in ["%7Bl%7D", "a%20b", "l%0A", "caf%C3%A9", "%00", &long] {
        locks
            .acquire(name, json!({"ttl_ms": 1000}))
            .await
            .assert_problem(422, &["/name"]);
        locks
            .renew(name, json!({"token": TOKEN}))
            .await
            .assert_problem(422, &["/name"]);
        locks.release(name, TOKEN).await.assert_problem(422, &["/name"]);
        locks.look(name).await.assert_problem(422, &["/name"]);
    }
    locks
        .acquire("l?wait_ms=1", json!({"ttl_ms": 1000}))
        .await
        .assert_problem(400, &[]);
    locks.release("l?force=1", TOKEN).await.assert_problem(400, &[]);
    locks.look("l?verbose=1").await.assert_problem(400, &[]);
    for (method, path) in [(Method::PUT, "/v1/locks/l"), (Method::GET, "/v1/locks/l/renew")] {
        send(locks.0.request(method, path)).await.assert_problem(405, &[]);
    }
    assert_eq!(keys_in_redis(&scene).await, 0);
    assert_eq!(
        locks.acquire(&"x".repeat(128), json!({"ttl_ms": 1000})).await.status,
        201
    );
}
