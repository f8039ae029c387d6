//! The `OpenAPI` document matches the bodies of the calls.

use super::{JobApi, Scene};
use crate::support::{Document, any_json};
use reqwest::Method;
use serde_json::{Value, json};

const ADD: &str = "post /v1/queues/{queue}/jobs";
const LEASE: &str = "post /v1/queues/{queue}/lease";
const JOB: &str = "get /v1/jobs/{id}";

#[actix_web::test]
async fn bodies_match_the_openapi_document() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = JobApi::of(&service);
    let document = Document::of(&api.0).await;
    let said = async |call: &str, path: &str, body: Value| -> Value {
        document.allows(call, &body);
        let answer = api.post(path, body).await;
        document.has(call, answer.status, &answer.body);
        assert!(answer.status < 300, "{answer:?}");
        answer.body
    };
    let shown = async |call: &str, path: &str| {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        document.has(call, 200, &answer.body);
    };
    let jobs = "/v1/queues/q/jobs";
    for payload in any_json() {
        let added = said(ADD, jobs, json!({"type": "a", "payload": payload})).await;
        let id = added["jobs"][0]["id"].as_str().unwrap().to_owned();
        shown(JOB, &format!("/v1/jobs/{id}")).await;
        let leased = said(LEASE, "/v1/queues/q/lease", json!({"count": 1, "types": ["a"]})).await;
        let token = leased["jobs"][0]["token"].clone();
        let progress = json!({"token": token, "progress": payload});
        document.allows("post /v1/jobs/{id}/progress", &progress);
        assert_eq!(api.post(&format!("/v1/jobs/{id}/progress"), progress).await.status, 204);
        shown(JOB, &format!("/v1/jobs/{id}")).await;
        let end = json!({"token": token, "result": payload});
        said("post /v1/jobs/{id}/complete", &format!("/v1/jobs/{id}/complete"), end).await;
        shown(JOB, &format!("/v1/jobs/{id}")).await;
    }
    for retry in [json!(true), json!(false), json!(1_000)] {
        said(
            ADD,
            jobs,
            json!([{"type": "b", "run_at": 1}, {"type": "b", "run_at": "2026-01-01T00:00:00Z"}]),
        )
        .await;
        let leased = said(LEASE, "/v1/queues/q/lease", json!({"count": 2, "types": ["b"]})).await;
        let (one, other) = (&leased["jobs"][0], &leased["jobs"][1]);
        let path = format!("/v1/jobs/{}/fail", one["id"].as_str().unwrap());
        let fail = json!({"token": one["token"], "error": "no", "retry": retry});
        said("post /v1/jobs/{id}/fail", &path, fail).await;
        shown(JOB, &format!("/v1/jobs/{}", one["id"].as_str().unwrap())).await;
        let ends = json!({
            "jobs": [{"id": other["id"], "token": other["token"], "end": "fail", "error": "no", "retry": retry}],
            "lease_next": {"count": 1, "types": ["none"]},
        });
        said("post /v1/queues/{queue}/settle", "/v1/queues/q/settle", ends).await;
    }
    for state in ["ready", "delayed", "leased", "done", "dead", "cancelled"] {
        shown("get /v1/queues/{queue}/jobs", &format!("{jobs}?state={state}")).await;
    }
    shown("get /v1/queues/{queue}", "/v1/queues/q").await;
    shown("get /v1/queues", "/v1/queues").await;
    shown("get /v1/queues/{queue}/events", "/v1/queues/q/events").await;
    said(
        "post /v1/queues/{queue}/redrive",
        "/v1/queues/q/redrive",
        json!({"limit": 1}),
    )
    .await;

    let drained = api.delete("/v1/queues/q/jobs?state=ready").await;
    document.has("delete /v1/queues/{queue}/jobs", 200, &drained.body);

    let call = "put /v1/queues/{queue}/schedules/{name}";
    for schedule in [
        json!({"every_ms": 1_000, "job": {"type": "c", "payload": [1]}}),
        json!({"cron": "0 8 * * *", "time_zone": "Europe/Berlin", "missed": "skip",
            "job": {"type": "c", "unique_key": "k", "unique_mode": "replace"}}),
    ] {
        document.allows(call, &schedule);
        let request = api.0.request(Method::PUT, "/v1/queues/q/schedules/s").json(&schedule);
        let set = crate::support::send(request).await;
        assert_eq!(set.status, 200, "{set:?}");
        document.has(call, 200, &set.body);
    }
    shown("get /v1/queues/{queue}/schedules", "/v1/queues/q/schedules").await;
    shown("get /v1/queues/{queue}/schedules/{name}", "/v1/queues/q/schedules/s").await;
}
