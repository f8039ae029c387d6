//! Anything a client can send: a problem with the reason, and nothing stored.

use super::{SLOW, allowed, reset, stored};
use crate::support::{Scene, send};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

#[actix_web::test]
async fn an_invalid_check_is_refused_and_not_counted() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    let long = "x".repeat(129);
    let with_key = |key: &str| format!(r#"{{"policy": "even", "key": {key}}}"#);
    let with_cost = |cost: &str| format!(r#"{{"policy": "even", "key": "k", "cost": {cost}}}"#);
    let mut bodies = vec![
        ("{}".to_owned(), &["/key", "/policy"][..]),
        (r#"{"key": "k"}"#.to_owned(), &["/policy"]),
        (r#"{"key": "k", "policy": null}"#.to_owned(), &["/policy"]),
        (r#"{"key": "k", "policy": 5}"#.to_owned(), &["/policy"]),
        (r#"{"key": "k", "policy": "none"}"#.to_owned(), &["/policy"]),
        (r#"{"key": "k", "policy": "even:k"}"#.to_owned(), &["/policy"]),
        (format!(r#"{{"key": "k", "policy": "{long}"}}"#), &["/policy"]),
        (
            r#"{"key": "", "policy": 5, "cost": 0}"#.to_owned(),
            &["/key", "/policy", "/cost"],
        ),
        ("[]".to_owned(), &[""]),
        ("null".to_owned(), &[""]),
        ("7".to_owned(), &[""]),
    ];
    for key in [
        "7",
        "{}",
        "\"\"",
        "\"..\"",
        "\"a\\nb\"",
        "\"\\u0000\"",
        &format!("\"{long}{long}\""),
    ] {
        bodies.push((with_key(key), &["/key"]));
    }
    for cost in [
        "0",
        "-1",
        "4",
        "1000001",
        "9007199254740992",
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
        "1e30",
        "1.5",
        "\"1\"",
        "true",
        "[1]",
        "{}",
    ] {
        bodies.push((with_cost(cost), &["/cost"]));
    }
    for (body, pointers) in bodies {
        let request = api.request(Method::POST, "/v1/limits/check").body(body);
        send(request).await.assert_problem(422, pointers);
    }
    assert_eq!(stored(&scene).await, Vec::<String>::new());
    assert!(allowed(&api, "even", "k").await);
}

#[actix_web::test]
async fn unreadable_requests_have_their_own_statuses() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    let good = r#"{"policy": "even", "key": "k"}"#;
    let post = |path: &'static str, content_type: &'static str, body: String| {
        let request = api.request(Method::POST, path).header(CONTENT_TYPE, content_type);
        send(request.body(body))
    };
    let (path, json) = ("/v1/limits/check", "application/json");
    for body in ["", "{", "{\"policy\": NaN}", "\u{feff}{}", &"[".repeat(3_000)] {
        post(path, json, body.to_owned()).await.assert_problem(400, &[]);
    }
    post("/v1/limits/check?dry=1", json, good.to_owned())
        .await
        .assert_problem(400, &[]);
    post(path, json, " ".repeat(5_000)).await.assert_problem(413, &[]);
    post(path, "text/plain", good.to_owned()).await.assert_problem(415, &[]);
    post("/v1/limits/policies", json, good.to_owned())
        .await
        .assert_problem(405, &[]);
    api.get(path).await.assert_problem(405, &[]);
    api.get("/v1/limits/policies?all").await.assert_problem(400, &[]);
    assert_eq!(stored(&scene).await, Vec::<String>::new());
    let more = r#"{"policy": "even", "key": "k", "cost": null}"#;
    assert_eq!(post(path, json, more.to_owned()).await.status, 200);
}

#[actix_web::test]
async fn a_reset_of_an_invalid_key_or_policy_is_refused() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    assert!(allowed(&api, "even", "k").await);
    for key in ["%0A", "%00", "%FF", "%", &"x".repeat(257)] {
        reset(&api, "even", key).await.assert_problem(422, &["/key"]);
    }
    for policy in ["none", "even%3Ak", "%7Beven%7D"] {
        reset(&api, policy, "k").await.assert_problem(404, &[]);
    }
    reset(&api, "even", "k?all=1").await.assert_problem(400, &[]);
    assert_eq!(stored(&scene).await.len(), 1);
}
