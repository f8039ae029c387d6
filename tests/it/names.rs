//! Names from other systems: any text, in bodies, in paths and in headers.

use crate::inventory::events::{next, subscribe};
use crate::support::{Answer, Api, Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

/// Each has characters with a meaning in a path, a key, a hash tag, a pattern, JSON or a record.
const NAMES: [&str; 14] = [
    "auth0|5f7c",
    "a+b@x.com",
    "tenant/7",
    "a%2Fb",
    "{x}",
    "a}b{c",
    "*",
    "a b c 1",
    "say \"hi\" \\ bye",
    "Zoë ✓",
    "[a-z]?",
    "sessions:{s:00}:x",
    "%",
    "...",
];

/// All of it percent-encoded.
pub fn encoded(name: &str) -> String {
    let bytes: Vec<_> = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    send(api.request(Method::POST, path).json(&body)).await
}

#[actix_web::test]
async fn a_subject_is_any_text() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let longest = "é".repeat(128);
    for name in NAMES.into_iter().chain([longest.as_str()]) {
        for _ in 0..2 {
            let created = post(&api, "/v1/sessions", json!({ "subject": name })).await;
            assert_eq!((created.status, &created.body["subject"]), (201, &json!(name)));
            let token = created.body["token"].as_str().unwrap().to_owned();
            let current = send(api.request(Method::GET, "/v1/sessions/current").bearer_auth(token)).await;
            assert_eq!(current.body["subject"], name);
        }
        let path = format!("/v1/subjects/{}/sessions", encoded(name));
        let listed = api.get(&path).await;
        let sessions = listed.body["sessions"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed:?}"));
        assert_eq!(sessions.len(), 2, "{name}");
        let one = format!("{path}/{}", sessions[0]["id"].as_str().unwrap());
        assert_eq!(send(api.request(Method::DELETE, &one)).await.status, 204, "{name}");
        let ended = send(api.request(Method::DELETE, &path)).await;
        assert_eq!(ended.body, json!({"ended": 1}), "{name}");
    }
    assert_eq!(scene.stored("session:").await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_limit_key_is_any_text() {
    let scene = Scene::new().await.with(&["--limits=once=window:1/1h"]);
    let service = scene.start().await;
    let api = service.drivers();
    let allowed = async |name: &str| {
        let answer = post(&api, "/v1/limits/check", json!({"policy": "once", "key": name})).await;
        answer.body["allowed"]
            .as_bool()
            .unwrap_or_else(|| panic!("{name}: {answer:?}"))
    };
    for name in NAMES {
        assert!(allowed(name).await && !allowed(name).await, "{name}");
    }
    for name in NAMES {
        let path = format!("/v1/limits/once/{}", encoded(name));
        assert_eq!(send(api.request(Method::DELETE, &path)).await.status, 204, "{name}");
        assert!(allowed(name).await, "{name}");
    }
}

#[actix_web::test]
async fn an_owner_and_an_idempotency_key_are_any_text() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for sku in ["seat", "bike"] {
        let put = api.request(Method::PUT, &format!("/v1/inventory/{sku}"));
        assert_eq!(send(put.json(&json!({"quantity": 1_000}))).await.status, 201);
    }
    let mut events = subscribe(&scene).await;
    for (index, name) in NAMES.into_iter().enumerate() {
        let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let reserve = async |path: &str, body: Value| {
            send(
                api.request(Method::POST, path)
                    .header("Idempotency-Key", &quoted)
                    .json(&body),
            )
            .await
        };
        let one = json!({"quantity": 1, "ttl_s": 60, "owner": name});
        let first = reserve("/v1/inventory/seat/reservations", one.clone()).await;
        assert_eq!((first.status, &first.body["owner"]), (201, &json!(name)));
        let again = reserve("/v1/inventory/seat/reservations", one).await;
        assert_eq!(again.body, first.body, "{name}");
        let many = json!({"items": [{"sku": "seat", "quantity": 1}, {"sku": "bike", "quantity": 1}], "ttl_s": 60, "owner": name});
        let both = reserve("/v1/reservations", many).await;
        let read = api
            .get(&format!("/v1/reservations/{}", both.body["id"].as_str().unwrap()))
            .await;
        assert_eq!((read.status, &read.body["owner"]), (200, &json!(name)));
        for _ in 0..2 {
            let held = next(&mut events).await;
            assert_eq!(
                (&held["event"], &held["owner"]),
                (&json!("held"), &json!(name)),
                "{index}"
            );
        }
    }
}

#[actix_web::test]
async fn a_unique_key_of_a_job_is_any_text() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let longest = "é".repeat(128);
    for name in NAMES.into_iter().chain([longest.as_str()]) {
        let new = json!({"type": "t", "unique_key": name});
        let created = post(&api, "/v1/queues/q/jobs", new.clone()).await;
        assert_eq!(created.status, 201, "{name}: {created:?}");
        let id = created.body["jobs"][0]["id"].as_str().unwrap();
        let again = post(&api, "/v1/queues/q/jobs", new).await;
        assert_eq!(again.body["jobs"][0]["id"], id, "{name}");
        assert_eq!(api.get(&format!("/v1/jobs/{id}")).await.body["unique_key"], name);
        let path = format!("/v1/queues/q/unique/{}", encoded(name));
        let cancelled = send(api.request(Method::DELETE, &path)).await;
        assert_eq!((cancelled.status, &cancelled.body["id"]), (200, &json!(id)), "{name}");
    }
    for bad in ["", "a\nb", &"x".repeat(257)] {
        let new = json!({"type": "t", "unique_key": bad});
        post(&api, "/v1/queues/q/jobs", new)
            .await
            .assert_problem(422, &["/unique_key"]);
    }
}
