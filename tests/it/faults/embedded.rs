//! The service with the embedded Redis: killed, stopped, started twice, and without an installed Redis.

use super::{SOON, becomes, here};
use crate::support::{Api, Folder, Raw, ServiceProcess, eventually, send};
use nix::sys::signal::{Signal, kill};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::net::TcpStream;

/// Fixes of drivers `d-0` and on.
fn fixes(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"id": format!("d-{n}"), "lat": 40.7484, "lon": -73.9857}))
        .collect()
}

async fn start(folder: &Folder) -> ServiceProcess {
    ServiceProcess::start(&[folder.flag()]).await
}

#[actix_web::test]
async fn a_killed_service_restarts_with_all_acknowledged_data() {
    let folder = Folder::new();
    let service = start(&folder).await;
    let api = service.drivers();
    api.place_all(&fixes(500)).await;
    api.place("single", here()).await;
    let profile = api.put_profile("single", json!({"status": "busy"})).await;
    assert_eq!(profile.status, 204);
    service.kill().await;

    let again = start(&folder).await;
    let api = again.drivers();
    let found = api.nearby("lat=40.7484&lon=-73.9857&limit=1000").await;
    assert_eq!(found.ids().len(), 501);
    assert_eq!(api.position("single").await.body["status"], "busy");
    assert_eq!(folder.processes().len(), 1, "the server of before has made way");
    becomes(&api, "ok").await;
    assert!(again.terminate().await.success());
    assert!(folder.processes().is_empty());
}

#[actix_web::test]
async fn a_killed_redis_is_restarted() {
    let folder = Folder::new();
    let service = start(&folder).await;
    let api = service.drivers();
    api.place_all(&fixes(100)).await;
    let killed = folder.processes()[0];
    kill(killed, Signal::SIGKILL).unwrap();
    eventually(SOON, "another server runs", async || {
        (api.get("/health/redis").await.status == 200 && !folder.processes().contains(&killed)).then_some(())
    })
    .await;
    becomes(&api, "ok").await;
    // The watch's connection is back; the workers' own follow within a second.
    let found = eventually(SOON, "every worker has found it", async || {
        let found = api.nearby("lat=40.7484&lon=-73.9857&limit=1000&source=redis").await;
        (found.status == 200).then_some(found)
    })
    .await;
    assert_eq!(found.ids().len(), 100);
    assert!(service.terminate().await.success());
    assert!(folder.processes().is_empty());
}

#[actix_web::test]
async fn a_stopping_service_finishes_requests_and_leaves_no_process() {
    let folder = Folder::new();
    let service = start(&folder).await;
    assert_eq!(folder.processes().len(), 1);
    let fix = here().to_string();
    let (half, rest) = fix.split_at(10);
    let mut under_way = Raw::connect(service.url()).await;
    let head = format!(
        "POST /v1/drivers/last/position HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{half}",
        fix.len()
    );
    under_way.send(head).await;
    service.drivers().place("before", here()).await;

    service.request_stop();
    eventually(SOON, "it takes no new connections", async || {
        let address = service.url().strip_prefix("http://")?;
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    let answer = under_way.send(rest).await.head().await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    drop(under_way);
    assert!(service.ended().await.success());
    assert!(folder.processes().is_empty(), "the embedded server has ended");

    let again = start(&folder).await;
    for id in ["before", "last"] {
        assert_eq!(again.drivers().position(id).await.status, 200, "{id}");
    }
}

#[actix_web::test]
async fn a_second_service_on_the_same_folder_refuses_to_start() {
    let folder = Folder::new();
    let first = start(&folder).await;
    first.drivers().place("d-1", here()).await;
    let refusal = ServiceProcess::refusal(&[folder.flag()]).await;
    let said = String::from_utf8_lossy(&refusal.stderr);
    assert!(said.contains("in use by another fleetpulse"), "{said}");
    assert!(said.contains(&format!("pid {}", first.pid())), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
    first.drivers().place("d-2", here()).await;
    becomes(&first.drivers(), "ok").await;
}

#[actix_web::test]
async fn without_any_redis_it_runs_from_memory_and_warns() {
    let folder = Folder::new();
    let mut command = ServiceProcess::command(&[folder.flag()]);
    command.env("PATH", folder.path()).env_remove("REDIS_SERVER_BIN");
    command.stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    let api = service.drivers();
    api.ready().await;
    eventually(SOON, "health reports it", async || {
        let said = service.output();
        let warned = said.contains("none installed") && said.contains("positions are lost when the service stops");
        warned.then_some(())
    })
    .await;
    becomes(&api, "degraded").await;
    let health = api.get("/health").await.body;
    let why = health["parts"]["redis"]["why"].as_str().unwrap();
    assert!(why.contains("no redis-server is installed"), "{why}");

    assert_eq!(api.post_fix("d-1", here()).await.status, 202);
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857").await.ids(), ["d-1"]);
    assert_eq!(api.forget("d-1").await.status, 202);
    assert_eq!(api.position("d-1").await.status, 404);
    for path in ["/health/redis", "/v1/drivers/nearby?lat=1&lon=1&source=redis"] {
        let answer = api.get(path).await;
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some());
    }
    assert!(service.terminate().await.success());
}

/// Returns the `INFO` of Redis, once it answers.
async fn redis_report(api: &Api) -> Value {
    eventually(SOON, "Redis reports", async || {
        let answer = api.get("/health/redis").await;
        (answer.status == 200).then_some(answer.body)
    })
    .await
}

#[actix_web::test]
async fn the_embedded_redis_is_bounded_and_refuses_writes_when_full() {
    let by_default = Folder::new();
    let service = start(&by_default).await;
    let report = redis_report(&service.drivers()).await;
    let bound = report["max_memory_bytes"].as_u64().unwrap();
    assert!(bound > 64 << 20, "{report}");
    drop(service);

    let folder = Folder::new();
    let flags = ["--redis-max-memory=8mb", "--redis-full-percent=100"].map(ToOwned::to_owned);
    let service = ServiceProcess::start(&[&[folder.flag()][..], &flags].concat()).await;
    let api = service.drivers();
    let report = redis_report(&api).await;
    assert_eq!(report["max_memory_bytes"], 8 << 20, "{report}");
    assert!(api.get("/health").await.body["warnings"]["redis_evicts"].is_null());
    let payload = "x".repeat(60_000);
    let full = eventually(SOON, "it is full", async || {
        let add = api.request(Method::POST, "/v1/queues/q/jobs");
        let answer = send(add.json(&json!({"type": "a", "payload": payload}))).await;
        (answer.status != 201).then_some(answer)
    })
    .await;
    full.assert_problem(503, &[]);
    eventually(SOON, "health has the reason", async || {
        (api.get("/health").await.body["parts"]["redis"]["code"] == "OOM").then_some(())
    })
    .await;
    // Just below the bound a small write may still be taken.
    let pushed = api.post_fix("d-1", here()).await.status;
    assert!([202, 204].contains(&pushed), "{pushed}");
}
