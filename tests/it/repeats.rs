//! Calls that are repeated with the same `Idempotency-Key`, and preconditions.

use crate::support::{Api, Scene, Service};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// The status, the body, and whether the answer is that of an earlier call.
type Answered = (u16, Value, bool);

async fn post(api: &Api, path: &str, key: Option<&str>, body: &Value) -> Answered {
    let mut request = api.request(Method::POST, path).json(body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let answer = request.send().await.unwrap();
    let replayed = answer.headers().get("idempotent-replayed").is_some();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default(), replayed)
}

async fn quantity(api: &Api, sku: &str) -> u64 {
    api.get(&format!("/v1/inventory/{sku}")).await.body["quantity"]
        .as_u64()
        .unwrap()
}

async fn scene() -> (Scene, Service) {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let put = service.drivers().request(Method::PUT, "/v1/inventory/seat");
    put.json(&json!({"quantity": 100})).send().await.unwrap();
    (scene, service)
}

#[actix_web::test]
async fn a_repeated_adjustment_is_executed_once() {
    let (scene, service) = scene().await;
    let (api, path) = (service.drivers(), "/v1/inventory/seat/adjust");
    let less = json!({"delta": -3});
    let calls = (0..8).map(|n| {
        let key = if n % 2 == 0 { "\"k|1\"" } else { "k|1" };
        post(&api, path, Some(key), &less)
    });
    let answers = join_all(calls).await;
    assert_eq!(
        answers.iter().filter(|(.., replayed)| !replayed).count(),
        1,
        "{answers:?}"
    );
    for (status, body, _) in &answers {
        assert_eq!((*status, &body["quantity"]), (200, &json!(97)), "{body}");
    }
    post(&api, path, None, &less).await;
    // The answer is the first one, regardless of later changes.
    let (_, body, replayed) = post(&api, path, Some("k|1"), &less).await;
    assert_eq!((&body["quantity"], replayed), (&json!(97), true));
    let (status, body, _) = post(&api, path, Some("k|1"), &json!({"delta": -4})).await;
    assert_eq!(
        (status, &body["errors"][0]["parameter"]),
        (422, &json!("Idempotency-Key"))
    );
    assert_eq!(quantity(&api, "seat").await, 94);
    // A refused call did nothing, and can be repeated.
    let (status, ..) = post(&api, path, Some("k|2"), &json!({"delta": -95})).await;
    assert_eq!(status, 409);
    post(&api, path, None, &json!({"delta": 1})).await;
    let (status, ..) = post(&api, path, Some("k|2"), &json!({"delta": -95})).await;
    assert_eq!((status, quantity(&api, "seat").await), (200, 0));
    for key in scene.stored("inv:").await.iter().filter(|key| key.contains(":once:")) {
        let ttl: i64 = scene.redis.query(redis::cmd("PTTL").arg(key)).await;
        assert!((1..=86_400_000).contains(&ttl), "{key}: {ttl}");
    }
}

#[actix_web::test]
async fn a_repeated_adjustment_with_if_match_gets_the_first_answer() {
    let (_scene, service) = scene().await;
    let api = service.drivers();
    let version = api.get("/v1/inventory/seat").await.body["version"].as_u64().unwrap();
    let adjust = async |tags: &str, key: &str| {
        let request = api.request(Method::POST, "/v1/inventory/seat/adjust");
        let request = request.header("If-Match", tags).header("Idempotency-Key", key);
        request
            .json(&json!({"delta": -1}))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let list = format!("W/\"{version}\", \"1\",, \"{version}\" , \"x\"");
    for (tags, key, status) in [
        (format!("W/\"{version}\""), "a", 412),
        (format!("\"1\", W/\"{version}\""), "b", 412),
        (list.clone(), "c", 200),
        (list.clone(), "c", 200),
        (list, "d", 412),
        ("*".to_owned(), "e", 200),
        ("*, \"1\"".to_owned(), "f", 400),
    ] {
        assert_eq!(adjust(&tags, key).await, status, "{tags} {key}");
    }
    assert_eq!(quantity(&api, "seat").await, 98);
}

#[actix_web::test]
async fn repeated_jobs_are_added_once() {
    let (_scene, service) = scene().await;
    let (api, path) = (service.drivers(), "/v1/queues/q/jobs");
    let many = json!([{"type": "a"}, {"type": "b", "unique_key": "u"}, {"type": "c", "unique_key": "u"}]);
    let calls = (0..6).map(|_| post(&api, path, Some("k"), &many));
    let answers = join_all(calls).await;
    assert_eq!(
        answers.iter().filter(|(.., replayed)| !replayed).count(),
        1,
        "{answers:?}"
    );
    let outcomes: Vec<_> = (0..3)
        .map(|n| answers[0].1["jobs"][n]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["created", "created", "existing"]);
    assert!(
        answers
            .iter()
            .all(|(status, body, _)| (*status, body) == (201, &answers[0].1))
    );
    let one = json!({"type": "a"});
    let first = post(&api, path, Some("single"), &one).await;
    let again = post(&api, path, Some("single"), &one).await;
    assert_eq!((again.0, again.2, &again.1), (201, true, &first.1));
    // Keys are scoped to their queue.
    assert!(!post(&api, "/v1/queues/other/jobs", Some("single"), &one).await.2);
    assert_eq!(post(&api, path, Some("k"), &one).await.0, 422);
    let ready = api.get("/v1/queues/q").await.body;
    assert_eq!(ready["counts"]["ready"], 3, "{ready}");
}

#[actix_web::test]
async fn a_counter_counts_once() {
    let (_scene, service) = scene().await;
    let (api, path) = (service.drivers(), "/v1/cache/counters/n/visits%2F7");
    let two = json!({"by": 2});
    let answers = join_all((0..6).map(|_| post(&api, path, Some("k"), &two))).await;
    assert_eq!(
        answers.iter().filter(|(.., replayed)| !replayed).count(),
        1,
        "{answers:?}"
    );
    post(&api, path, None, &two).await;
    let (status, body, replayed) = post(&api, path, Some("k"), &two).await;
    assert_eq!((status, &body["value"], replayed), (200, &json!(2), true));
    assert_eq!(post(&api, path, Some("k"), &json!({"by": 3})).await.0, 422);
    assert!(!post(&api, "/v1/cache/counters/n/other", Some("k"), &two).await.2);
    assert_eq!(api.get(path).await.body["value"], 4);
}

#[actix_web::test]
async fn a_repeated_sign_in_leaves_one_session() {
    let scene = Scene::new().await.with(&["--sessions-per-subject=2"]);
    let service = scene.start().await;
    let (api, path) = (service.drivers(), "/v1/sessions");
    let anna = json!({"subject": "auth0|anna", "data": {"a": 1}});
    post(&api, path, None, &anna).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let (status, body, _) = post(&api, path, Some("\"k 1\""), &anna).await;
        assert_eq!(status, 201, "{body}");
        tokens.push(body["token"].as_str().unwrap().to_owned());
    }
    let concurrent = join_all((0..4).map(|_| post(&api, path, Some("\"k 1\""), &anna))).await;
    tokens.extend(
        concurrent
            .iter()
            .map(|(_, body, _)| body["token"].as_str().unwrap().to_owned()),
    );
    let mut valid = 0;
    for token in tokens {
        let current = api.request(Method::GET, "/v1/sessions/current").bearer_auth(token);
        valid += usize::from(current.send().await.unwrap().status() == 200);
    }
    let listed = api.get("/v1/subjects/auth0%7Canna/sessions").await.body;
    // The session that was there before was not ended to make room.
    assert_eq!((valid, listed["sessions"].as_array().unwrap().len()), (1, 2));
    assert_eq!(
        post(&api, path, Some("k 1"), &json!({"subject": "auth0|anna"})).await.0,
        422
    );
    assert_eq!(post(&api, path, Some("k 1"), &json!({"subject": "berta"})).await.0, 201);
}

#[actix_web::test]
async fn a_key_on_a_call_without_support_is_refused_and_nothing_is_done() {
    let (scene, service) = scene().await;
    let api = service.drivers();
    let created = post(&api, "/v1/sessions", None, &json!({"subject": "anna"})).await.1;
    let token = created["token"].as_str().unwrap();
    let before = scene.stored_for_callers().await;
    for (path, body) in [
        ("/v1/limits/check", json!({"policy": "login", "key": "k"})),
        ("/v1/locks/l", json!({"ttl_ms": 1000})),
        ("/v1/queues/q/lease", json!({})),
        ("/v1/queues/q/settle", json!({"jobs": [], "lease_next": {}})),
        ("/v1/queues/q/redrive", json!({})),
        ("/v1/cache/tickets/n/k", json!({})),
        ("/v1/sessions/current/rotate", json!({})),
        ("/v1/sessions/current/extend", json!({"seconds": 1})),
    ] {
        let request = api.request(Method::POST, path).bearer_auth(token).json(&body);
        let answer = crate::support::send(request.header("Idempotency-Key", "k")).await;
        answer.assert_problem(422, &["/Idempotency-Key"]);
        assert!(
            answer.body["detail"].as_str().unwrap().contains("not supported"),
            "{path}"
        );
    }
    assert_eq!(scene.stored_for_callers().await, before);
}

/// Calls that may be repeated without a key: they only read, or repeating them changes nothing more.
const HARMLESS: [&str; 17] = [
    "/v1/{kind}/{id}/position",
    "/v1/{kind}/positions",
    "/v1/{kind}/nearby",
    "/v1/reservations/{id}/confirm",
    "/v1/reservations/{id}/extend",
    "/v1/locks/{name}/renew",
    "/v1/locks/{name}/release",
    // With `lease_next` they refuse a key.
    "/v1/queues/{queue}/settle",
    "/v1/jobs/{id}/complete",
    "/v1/jobs/{id}/fail",
    "/v1/queues/{queue}/pause",
    "/v1/queues/{queue}/resume",
    "/v1/jobs/{id}/extend",
    "/v1/jobs/{id}/progress",
    "/v1/cache/{namespace}",
    "/v1/cache/tags/invalidate",
    "/v1/cache/events",
];
/// Calls that refuse a key.
const REFUSING: [&str; 8] = [
    "/v1/limits/check",
    "/v1/locks/{name}",
    "/v1/queues/{queue}/lease",
    "/v1/queues/{queue}/redrive",
    "/v1/jobs/{id}/retry",
    "/v1/cache/tickets/{namespace}/{key}",
    "/v1/sessions/current/rotate",
    "/v1/sessions/current/extend",
];

#[actix_web::test]
async fn every_post_supports_a_key_refuses_it_or_is_idempotent() {
    let (_scene, service) = scene().await;
    let api = service.drivers();
    let document = api.get("/openapi.json").await.body;
    for (path, calls) in document["paths"].as_object().unwrap() {
        let Some(call) = calls.get("post") else { continue };
        let parameters = call["parameters"].as_array();
        let accepts = parameters
            .into_iter()
            .flatten()
            .any(|one| one["name"] == "Idempotency-Key");
        let refuses = REFUSING.contains(&path.as_str());
        let is_harmless = HARMLESS.contains(&path.as_str());
        assert_eq!(
            [accepts, refuses, is_harmless].iter().filter(|is| **is).count(),
            1,
            "{path}"
        );
        if refuses {
            let path = path.replace("{id}", "q.ABCDEFGHIJKLM").replace(['{', '}'], "");
            let token = post(&api, "/v1/sessions", None, &json!({"subject": "anna"})).await.1["token"].clone();
            let request = api.request(Method::POST, &path).bearer_auth(token.as_str().unwrap());
            let request = request
                .header("Idempotency-Key", "k")
                .json(&json!({"ttl_ms": 1_000, "seconds": 1}));
            crate::support::send(request)
                .await
                .assert_problem(422, &["/Idempotency-Key"]);
        }
    }
}
