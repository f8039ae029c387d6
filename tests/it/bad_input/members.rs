//! Unknown members and parameters, wherever bodies are read: they are refused with the name that was probably meant.

use super::post_json;
use crate::support::{Answer, Api, Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

/// Calls whose bodies are valid except for one misspelt member, with its location and the name that was meant.
const MISSPELT: [(&str, &str, &str, &str, &str); 28] = [
    (
        "POST",
        "/v1/drivers/nearby",
        r#"{"queries": [{"lat": 3, "lon": 3, "statuses": ["available"]}]}"#,
        "/queries/0/statuses",
        "status",
    ),
    (
        "POST",
        "/v1/drivers/nearby",
        r#"{"Queries": [], "queries": []}"#,
        "/Queries",
        "queries",
    ),
    (
        "PUT",
        "/v1/drivers/d-1",
        r#"{"vehicleType": "van"}"#,
        "/vehicleType",
        "vehicle_type",
    ),
    ("PATCH", "/v1/drivers/d-1", r#"{"Status": "busy"}"#, "/Status", "status"),
    (
        "PUT",
        "/v1/inventory/sku",
        r#"{"quantity": 1, "groups": "g"}"#,
        "/groups",
        "group",
    ),
    (
        "POST",
        "/v1/inventory/sku/adjust",
        r#"{"delta": 1, "versions": 1}"#,
        "/versions",
        "version",
    ),
    (
        "POST",
        "/v1/inventory/sku/reservations",
        r#"{"quantity": 1, "ttl_s": 9, "Owner": "o"}"#,
        "/Owner",
        "owner",
    ),
    (
        "POST",
        "/v1/reservations",
        r#"{"items": [{"sku": "sku", "quantity": 1, "skus": 1}], "ttl_s": 9}"#,
        "/items/0/skus",
        "sku",
    ),
    (
        "POST",
        "/v1/reservations/r/extend",
        r#"{"ttl_s": 9, "ttl-s": 9}"#,
        "/ttl-s",
        "ttl_s",
    ),
    (
        "POST",
        "/v1/sessions",
        r#"{"subject": "s", "scope": ["a"]}"#,
        "/scope",
        "scopes",
    ),
    (
        "POST",
        "/v1/sessions",
        r#"{"subject": "s", "idleTtlS": 60}"#,
        "/idleTtlS",
        "idle_ttl_s",
    ),
    (
        "POST",
        "/v1/limits/check",
        r#"{"key": "k", "policy": "p", "costs": 3}"#,
        "/costs",
        "cost",
    ),
    (
        "POST",
        "/v1/locks/l",
        r#"{"ttl_ms": 1000, "waitMs": 10}"#,
        "/waitMs",
        "wait_ms",
    ),
    (
        "POST",
        "/v1/locks/l/renew",
        r#"{"token": "0123456789abcdef", "ttl": 1000}"#,
        "/ttl",
        "ttl_ms",
    ),
    (
        "DELETE",
        "/v1/locks/l",
        r#"{"token": "0123456789abcdef", "tokens": 1}"#,
        "/tokens",
        "token",
    ),
    (
        "POST",
        "/v1/queues/q/jobs",
        r#"{"type": "a", "runAt": 1}"#,
        "/runAt",
        "run_at",
    ),
    (
        "POST",
        "/v1/queues/q/jobs",
        r#"[{"type": "a"}, {"type": "a", "backoff": {"base": 1}}]"#,
        "/1/backoff/base",
        "base_ms",
    ),
    ("POST", "/v1/queues/q/lease", r#"{"counts": 1}"#, "/counts", "count"),
    (
        "POST",
        "/v1/queues/q/settle",
        r#"{"jobs": [], "lease_next": {"counts": 1}}"#,
        "/lease_next/counts",
        "count",
    ),
    (
        "POST",
        "/v1/queues/q/settle",
        r#"{"jobs": [], "leaseNext": {}}"#,
        "/leaseNext",
        "lease_next",
    ),
    ("POST", "/v1/queues/q/redrive", r#"{"limits": 1}"#, "/limits", "limit"),
    (
        "PUT",
        "/v1/queues/q/schedules/s",
        r#"{"every_ms": 60000, "job": {"type": "a"}, "timeZone": "UTC"}"#,
        "/timeZone",
        "time_zone",
    ),
    (
        "PUT",
        "/v1/queues/q/schedules/s",
        r#"{"every_ms": 60000, "job": {"type": "a", "Priority": 1}}"#,
        "/job/Priority",
        "priority",
    ),
    ("PUT", "/v1/cache/n/k", r#"{"value": 1, "tag": ["a"]}"#, "/tag", "tags"),
    (
        "PATCH",
        "/v1/cache/n/k",
        r#"{"ttl_s": 9, "ttlMs": 1}"#,
        "/ttlMs",
        "ttl_ms",
    ),
    (
        "POST",
        "/v1/cache/n",
        r#"{"set": [{"key": "a", "value": 1, "stale": 1}]}"#,
        "/set/0/stale",
        "stale_s",
    ),
    (
        "POST",
        "/v1/cache/tickets/n/k",
        r#"{"leaseMs": 1}"#,
        "/leaseMs",
        "lease_ms",
    ),
    (
        "POST",
        "/v1/cache/events",
        r#"{"type": "a", "entity_id": "b", "entityId": "b"}"#,
        "/entityId",
        "entity_id",
    ),
];

async fn call(api: &Api, method: &str, path: &str, body: &str) -> Answer {
    let request = api.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
    send(request.header("content-type", "application/json").body(body.to_owned())).await
}

#[actix_web::test]
async fn a_misspelt_member_is_a_422_that_suggests_the_nearest_name() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    for (method, path, body, pointer, meant) in MISSPELT {
        let answer = call(&api, method, path, body).await;
        answer.assert_problem(422, &[pointer]);
        let detail = answer.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("did you mean `{meant}`?")), "{path}: {detail}");
    }
    assert_eq!(scene.stored_for_callers().await, before);
}

#[actix_web::test]
async fn a_misspelt_name_neither_removes_a_filter_nor_clears_a_profile() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let profile = json!({"status": "busy", "vehicle_type": "van", "capacity": 7});
    assert_eq!(api.put_profile("d-1", profile.clone()).await.status, 204);
    let wrong = json!({"Status": "busy", "vehicleType": "van", "seats": 7});
    let answer = api.put_profile("d-1", wrong).await;
    let mut named: Vec<_> = answer.body["errors"].as_array().unwrap().iter().collect();
    named.sort_by_key(|error| error["pointer"].to_string());
    assert_eq!((answer.status, named.len()), (422, 3));
    let mut kept = api.profile("d-1").await.body;
    assert_eq!(kept.as_object_mut().unwrap().remove("id"), Some(json!("d-1")));
    assert_eq!(kept, profile);
    // A misspelt required member is reported as unknown and as missing.
    let answer = call(&api, "PUT", "/v1/inventory/sku", r#"{"Quantity": 3}"#).await;
    answer.assert_problem(422, &["/quantity", "/Quantity"]);
    // A position may contain unknown members.
    api.place(
        "d-2",
        json!({"lat": 1, "lon": 1, "vehicleType": "van", "battery": {"percent": 80}}),
    )
    .await;
}

#[actix_web::test]
async fn a_member_given_twice_is_a_422() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    for (method, path, body) in [
        ("PUT", "/v1/drivers/d-1", r#"{"status": "a", "status": "b"}"#),
        ("PUT", "/v1/inventory/sku", r#"{"quantity": 1, "quantity": 1000}"#),
        ("POST", "/v1/sessions", r#"{"subject": "s", "data": {"a": 1, "a": 2}}"#),
        (
            "POST",
            "/v1/limits/check",
            r#"{"key": "k", "policy": "p", "cost": 1, "cost": 2}"#,
        ),
        ("POST", "/v1/locks/l", r#"{"ttl_ms": 1000, "ttl_ms": 3600000}"#),
        (
            "POST",
            "/v1/queues/q/jobs",
            r#"{"type": "a", "payload": 1, "payload": 2}"#,
        ),
        (
            "POST",
            "/v1/queues/q/jobs",
            r#"[{"type": "a", "backoff": {"max_ms": 1, "max_ms": 2}}]"#,
        ),
        ("PUT", "/v1/cache/n/k", r#"{"value": 1, "value": 2}"#),
        (
            "POST",
            "/v1/cache/n",
            r#"{"set": [{"key": "a", "value": 1, "key": "b"}]}"#,
        ),
    ] {
        let answer = call(&api, method, path, body).await;
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
        let detail = answer.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("is given twice"), "{path}: {detail}");
    }
    assert_eq!(scene.stored_for_callers().await, before);
}

#[actix_web::test]
async fn a_misspelt_parameter_is_a_400_that_suggests_the_nearest_name() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (path, hint) in [
        ("/v1/drivers/nearby?lat=1&lng=1", "did you mean `lon`?"),
        ("/v1/drivers/nearby?lat=1&lon=1&statuses=a", "did you mean `status`?"),
        (
            "/v1/drivers/nearby?lat=1&lon=1&vehicleType=a",
            "did you mean `vehicle_type`?",
        ),
        (
            "/v1/drivers/within?bbox=0,0,1,1&vehicle-type=a",
            "did you mean `vehicle_type`?",
        ),
        ("/v1/inventory?limits=1", "did you mean `limit`?"),
        ("/v1/queues?Cursor=x", "did you mean `cursor`?"),
        ("/v1/queues/q/jobs?states=dead", "did you mean `state`?"),
        ("/v1/queues/q/events?wait=1", "did you mean `wait_ms`?"),
        ("/v1/queues/q?zzz=1", "none is known here"),
    ] {
        let answer = api.get(path).await;
        answer.assert_problem(400, &[]);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.ends_with(hint), "{path}: {detail}");
    }
    let long: Value = post_json(&api, &format!("/v1/drivers/nearby?{}=1", "x".repeat(4_000)), "{}")
        .await
        .body;
    assert!(long["detail"].as_str().unwrap().len() < 200, "{long}");
}
