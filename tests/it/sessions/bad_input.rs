//! Invalid requests: clear answers, and nothing stored.

use super::{Calls, keys};
use crate::support::{Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

const CENTURY_S: i64 = 3_153_600_000;

#[actix_web::test]
async fn an_invalid_creation() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let faults: Vec<(Value, &[&str])> = vec![
        (json!([]), &[""]),
        (json!("anna"), &[""]),
        (json!({}), &["/subject"]),
        (json!({"subject": null}), &["/subject"]),
        (json!({"subject": 7}), &["/subject"]),
        (json!({"subject": ""}), &["/subject"]),
        (json!({"subject": "a\nb"}), &["/subject"]),
        (json!({"subject": ".."}), &["/subject"]),
        (json!({"subject": "x".repeat(257)}), &["/subject"]),
        (json!({"subject": "anna", "role": 1}), &["/role"]),
        (json!({"subject": "anna", "role": "x".repeat(65)}), &["/role"]),
        (json!({"subject": "anna", "scopes": "all"}), &["/scopes"]),
        (json!({"subject": "anna", "scopes": vec!["x"; 65]}), &["/scopes"]),
        (
            json!({"subject": "anna", "scopes": ["", 1, "x".repeat(129), "ok"]}),
            &["/scopes/0", "/scopes/1", "/scopes/2"],
        ),
        (json!({"subject": "anna", "device": "phone"}), &["/device"]),
        (
            json!({"subject": "anna", "device": {"x": "x".repeat(2_048)}}),
            &["/device"],
        ),
        (json!({"subject": "anna", "data": [1]}), &["/data"]),
        (json!({"subject": "anna", "data": "{}"}), &["/data"]),
        (
            json!({"subject": "", "role": 1, "data": 1, "idle_ttl_s": 0}),
            &["/subject", "/role", "/data", "/idle_ttl_s"],
        ),
    ];
    for (body, fields) in faults {
        calls.create(body).await.assert_problem(422, fields);
    }
    let seconds = [
        json!(0),
        json!(-1),
        json!(2_592_001),
        json!(CENTURY_S),
        json!(1_i64 << 53),
        json!(u64::MAX),
        json!(1.5),
        json!(1e300),
        json!("60"),
        json!(true),
        json!([60]),
    ];
    for bad in seconds {
        for name in ["idle_ttl_s", "absolute_ttl_s"] {
            let body = json!({"subject": "anna", name: bad});
            calls.create(body).await.assert_problem(422, &[&format!("/{name}")]);
        }
    }
    assert!(keys(&scene).await.is_empty());
}

#[actix_web::test]
async fn a_body_that_cannot_be_read() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open("anna").await.token;
    let before = keys(&scene).await.len();
    for (method, path) in [
        (Method::POST, "/v1/sessions"),
        (Method::PATCH, "/v1/sessions/current"),
        (Method::POST, "/v1/sessions/current/extend"),
    ] {
        let request = || calls.0.request(method.clone(), path).bearer_auth(&token);
        let json = |body: String| request().header("content-type", "application/json").body(body);
        let deep = format!("{{\"subject\":\"a\",\"data\":{}", "{\"a\":".repeat(10_000));
        for body in [
            "",
            "{",
            "{\"subject\":\"anna\",}",
            "{\"subject\":\"\\ud800\"}",
            "\0",
            &deep,
        ] {
            send(json(body.to_owned())).await.assert_problem(400, &[]);
        }
        send(json(format!("{{\"x\":\"{}\"}}", "x".repeat(65_536))))
            .await
            .assert_problem(413, &[]);
        let form = request().header("content-type", "text/plain").body("{}");
        send(form).await.assert_problem(415, &[]);
        let lines = request().header("content-type", "application/x-ndjson").body("{}");
        send(lines).await.assert_problem(415, &[]);
    }
    assert_eq!(keys(&scene).await.len(), before);
    assert_eq!(calls.get(&token).await.body["version"], 1);
}

#[actix_web::test]
async fn an_invalid_change_or_extension() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open("anna").await.token;
    let before = calls.get(&token).await.body;
    let faults: Vec<(Value, &[&str])> = vec![
        (json!({}), &["/version", "/data"]),
        (json!({"version": 1}), &["/data"]),
        (json!({"data": {}}), &["/version"]),
        (json!({"version": 1, "data": null}), &["/data"]),
        (json!({"version": 1, "data": [1]}), &["/data"]),
        (json!({"version": 0, "data": {}}), &["/version"]),
        (json!({"version": -1, "data": {}}), &["/version"]),
        (json!({"version": 1_i64 << 53, "data": {}}), &["/version"]),
        (json!({"version": u64::MAX, "data": {}}), &["/version"]),
        (json!({"version": 1.0, "data": {}}), &["/version"]),
        (json!({"version": "1", "data": {}}), &["/version"]),
    ];
    for (body, fields) in faults {
        calls
            .with(&token, Method::PATCH, "", Some(body))
            .await
            .assert_problem(422, fields);
    }
    for seconds in [
        json!(0),
        json!(-3_600),
        json!(CENTURY_S),
        json!(1_i64 << 53),
        json!(0.5),
        json!("1"),
        Value::Null,
    ] {
        let body = json!({ "seconds": seconds });
        calls
            .with(&token, Method::POST, "/extend", Some(body))
            .await
            .assert_problem(422, &["/seconds"]);
    }
    assert_eq!(calls.get(&token).await.body, before);
}

/// An object that is nested this deep.
fn nested(levels: usize) -> Value {
    let inner = json!({});
    // The outermost and every second one are objects, the others arrays.
    let around = |inner, n| {
        if (levels - n) % 2 == 1 {
            json!({"a": inner})
        } else {
            json!([inner])
        }
    };
    (1..levels).fold(inner, around)
}

#[actix_web::test]
async fn deeply_nested_data_are_refused_and_existing_data_stay() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let most = json!({"subject": "anna", "data": {"kept": nested(31)}, "device": {"kept": nested(31)}});
    let token = calls.open_as(most).await.token;
    let before = calls.get(&token).await.body;
    for name in ["data", "device"] {
        let body = json!({"subject": "anna", name: {"x": nested(32)}});
        calls.create(body).await.assert_problem(422, &[&format!("/{name}")]);
    }
    for levels in [32, 100] {
        let patch = json!({"x": nested(levels)});
        calls.patch(&token, 1, patch).await.assert_problem(422, &["/data"]);
    }
    assert_eq!(calls.get(&token).await.body, before);
    let merged = calls.patch(&token, 1, json!({"more": nested(31)})).await.body;
    assert_eq!(
        merged["data"],
        json!({"kept": before["data"]["kept"], "more": nested(31)})
    );
}

#[actix_web::test]
async fn json_inside_a_string_stays_a_string() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls
        .open_as(json!({"subject": "anna", "data": {"kept": 1}}))
        .await
        .token;
    let before = calls.get(&token).await.body;
    // The name that serde_json reserves for a value that was parsed already, whose nesting it would count separately.
    let hidden = json!({"$serde_json::private::RawValue": nested(100).to_string()});
    let patch = json!({"x": hidden});
    calls.patch(&token, 1, patch).await.assert_problem(422, &["/data"]);
    for name in ["data", "device"] {
        let body = json!({"subject": "anna", name: {"x": hidden}});
        calls.create(body).await.assert_problem(422, &[&format!("/{name}")]);
    }
    assert_eq!(calls.get(&token).await.body, before);
    let merged = calls.patch(&token, 1, json!({"y": 2})).await.body;
    assert_eq!(merged["data"], json!({"kept": 1, "y": 2}));
}

#[actix_web::test]
async fn ids_queries_and_methods() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open("anna").await.token;
    let long = "x".repeat(257);
    for bad in ["%00", "a%0Ab", "%FF", "%C3", "%zz", "%", &long] {
        calls.list(bad).await.assert_problem(422, &["/subject"]);
        calls.end(bad, "").await.assert_problem(422, &["/subject"]);
        calls.end(bad, "/0123").await.assert_problem(422, &["/subject"]);
    }
    for bad in ["%7Ba%7D", "a%20b", "caf%C3%A9", "%00", &"x".repeat(129)] {
        let answer = calls.end("anna", &format!("/{bad}")).await;
        answer.assert_problem(422, &["/id"]);
    }
    for (method, path) in [
        (Method::POST, "/v1/sessions"),
        (Method::GET, "/v1/sessions/stats"),
        (Method::GET, "/v1/sessions/current"),
        (Method::PATCH, "/v1/sessions/current"),
        (Method::DELETE, "/v1/sessions/current"),
        (Method::POST, "/v1/sessions/current/rotate"),
        (Method::POST, "/v1/sessions/current/extend"),
        (Method::GET, "/v1/subjects/anna/sessions"),
        (Method::DELETE, "/v1/subjects/anna/sessions"),
        (Method::DELETE, "/v1/subjects/anna/sessions/0123"),
    ] {
        let request = calls.0.request(method, &format!("{path}?token=x")).bearer_auth(&token);
        send(request).await.assert_problem(400, &[]);
    }
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::POST, "/v1/sessions/current"),
        (Method::PUT, "/v1/sessions/current"),
        (Method::GET, "/v1/sessions/current/rotate"),
        (Method::POST, "/v1/subjects/anna/sessions"),
        (Method::GET, "/v1/subjects/anna/sessions/0123"),
    ] {
        send(calls.0.request(method, path)).await.assert_problem(405, &[]);
    }
    calls.0.get("/v1/sessions/other").await.assert_problem(404, &[]);
    assert_eq!(calls.get(&token).await.status, 200);
}
