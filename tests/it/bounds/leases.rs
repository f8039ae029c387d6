//! Memory for leased jobs is taken from the memory for answers before they are leased.

use super::{metric, times};
use crate::support::{Answer, Api, Raw, Scene, eventually, send};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const UNSENT: &str = "fleetpulse_http_unsent_bytes";
const LEASED: &str = "fleetpulse_jobs_leased_total";
const WAITERS: &str = "fleetpulse_job_waiters";
/// The memory for answers.
const ALL: u64 = 16 * 1024 * 1024;
const LONG: usize = 900_000;

async fn post(api: &Api, path: &str, body: &Value) -> Answer {
    send(api.request(Method::POST, path).json(body)).await
}

async fn add(api: &Api, jobs: &Value) {
    let added = post(api, "/v1/queues/q/jobs", jobs).await;
    assert_eq!(added.status, 201, "{added:?}");
}

async fn lease(api: &Api, wanted: &Value) -> Answer {
    post(api, "/v1/queues/q/lease", wanted).await
}

/// The number of jobs in a response, which must be successful.
fn count(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{:?}", answer.body["detail"]);
    answer.body["jobs"].as_array().unwrap().len()
}

#[actix_web::test]
async fn unread_leases_use_bounded_memory_and_lose_no_job() {
    let flags = [
        "--job-payload=1048576",
        "--max-unsent-bytes=16777216",
        "--write-timeout=60000",
    ];
    let scene = Scene::new().await.with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    let long = json!({"type": "t", "payload": "x".repeat(LONG)});
    for _ in 0..8 {
        add(&api, &json!(times(8, &long))).await;
    }
    let first = lease(&api, &json!({"lease_ms": 600_000})).await;
    let ours = &first.body["jobs"][0];
    let asks = async || {
        let mut client = Raw::connect(&service.url()).await;
        let body = r#"{"count":4}"#;
        let length = body.len();
        let head = format!("POST /v1/queues/q/lease HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        client.send(head + body).await;
        client
    };
    // All at once, and then one after the other until no memory is left.
    let mut clients = join_all((0..20).map(|_| asks())).await;
    for client in &mut clients {
        client.head().await;
    }
    loop {
        let mut client = asks().await;
        let head = client.head().await;
        clients.push(client);
        assert!(metric(&api, UNSENT).await <= ALL);
        if head.starts_with("HTTP/1.1 503 ") {
            break;
        }
        assert!(clients.len() < 60, "{head}");
    }
    let refused = lease(&api, &json!({})).await;
    refused.assert_problem(503, &[]);
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    let leased = metric(&api, LEASED).await;
    // One that waits for jobs waits for memory as well.
    lease(&api, &json!({"wait_ms": 300})).await.assert_problem(503, &[]);
    // A settlement changes nothing at all.
    let path = format!("/v1/jobs/{}/complete", ours["id"].as_str().unwrap());
    let next = json!({"token": ours["token"], "lease_next": {}});
    post(&api, &path, &next).await.assert_problem(503, &[]);
    let settled = json!({"jobs": [{"id": ours["id"], "token": ours["token"], "end": "complete"}], "lease_next": {}});
    post(&api, "/v1/queues/q/settle", &settled)
        .await
        .assert_problem(503, &[]);
    assert_eq!(metric(&api, LEASED).await, leased);
    let extend = format!("/v1/jobs/{}/extend", ours["id"].as_str().unwrap());
    let extended = post(&api, &extend, &json!({"token": ours["token"], "lease_ms": 600_000})).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    // Without a next lease it needs no memory.
    let done = post(&api, &path, &json!({"token": ours["token"]})).await;
    assert_eq!(done.body["state"], "done", "{done:?}");
    drop(clients);
    eventually(SOON, "the memory is free", async || {
        (metric(&api, UNSENT).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&lease(&api, &json!({})).await), 1);
}

#[actix_web::test]
async fn many_small_concurrent_leases_are_not_refused() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for wanted in [1, 10] {
        add(&api, &json!(times(64 * wanted, &json!({"type": "t"})))).await;
        let wanted_body = json!({ "count": wanted });
        let answers = join_all((0..64).map(|_| lease(&api, &wanted_body))).await;
        assert!(answers.iter().all(|answer| count(answer) == wanted));
    }
    assert_eq!(metric(&api, UNSENT).await, 0);
}

#[actix_web::test]
async fn a_lease_that_waits_holds_no_memory() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let waits = async { lease(&api, &json!({"count": 1_000, "wait_ms": 20_000})).await };
    let looks = async {
        eventually(SOON, "it waits", async || {
            (metric(&api, WAITERS).await == 1 && metric(&api, UNSENT).await == 0).then_some(())
        })
        .await;
        add(&api, &json!({"type": "t", "payload": "x".repeat(50_000)})).await;
    };
    let (answer, ()) = tokio::join!(waits, looks);
    assert_eq!(count(&answer), 1);
    assert_eq!(metric(&api, UNSENT).await, 0);
}
