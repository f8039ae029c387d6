//! A Redis whose data is flushed without a notification.

use super::SOON;
use crate::support::{Redis, Scene, Service, eventually, now_ms, send};
use fleetpulse::kind::Kind;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

async fn flush(scene: &Scene<Redis>) {
    let _: () = scene.redis.query(&cmd("FLUSHALL")).await;
}

async fn post(service: &Service, path: &str, body: Value) -> (u16, Value) {
    let answer = send(service.drivers().request(Method::POST, path).json(&body)).await;
    (answer.status, answer.body)
}

/// Starts an instance that has read the identity of its Redis, so that it detects a change.
async fn started(scene: &Scene<Redis>) -> Service {
    let service = scene.start().await;
    eventually(SOON, "the data have a mark", async || {
        let mut exists = cmd("EXISTS");
        let marked: bool = scene.redis.query(exists.arg(scene.keys().life())).await;
        marked.then_some(())
    })
    .await;
    service
}

#[actix_web::test]
async fn idle_positions_are_written_again_without_any_traffic() {
    let scene = Scene::on(Redis::forgetful().await);
    let service = started(&scene).await;
    let at = now_ms();
    let fix = json!({"lat": 1, "lon": 1, "timestamp": at});
    service.drivers().place("d-1", fix).await;
    for _ in 0..2 {
        flush(&scene).await;
        eventually(SOON, "the position is in Redis again", async || {
            let mut exists = cmd("EXISTS");
            let exists = exists
                .arg(scene.snapshot(Kind::Drivers, "d-1"))
                .arg(scene.keys().layout());
            (scene.redis.query::<u32>(exists).await == 2).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_queue_cached_by_every_worker_is_registered_again() {
    let scene = Scene::on(Redis::forgetful().await);
    let service = started(&scene).await;
    for _ in 0..12 {
        assert_eq!(post(&service, "/v1/queues/a/jobs", json!({"type": "t"})).await.0, 201);
    }
    flush(&scene).await;
    // Before the flush can be detected.
    let delayed = json!({"type": "t", "delay_ms": 100});
    assert_eq!(post(&service, "/v1/queues/a/jobs", delayed).await.0, 201);
    let api = service.drivers();
    eventually(SOON, "the queue is listed, and its job ready", async || {
        let ready = api.get("/v1/queues/a/jobs?state=ready").await.body["jobs"]
            .as_array()?
            .len();
        let queues = api.get("/v1/queues").await.body.to_string();
        (ready == 1 && queues.contains("\"a\"")).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn after_a_flush_a_waiting_request_gets_the_lock() {
    let scene = Scene::on(Redis::forgetful().await);
    let service = started(&scene).await;
    let hour = json!({"ttl_ms": 3_600_000});
    assert_eq!(post(&service, "/v1/locks/l", hour).await.0, 201);
    let waiting = json!({"ttl_ms": 1_000, "wait_ms": 25_000});
    let (waited, ()) = tokio::join!(post(&service, "/v1/locks/l", waiting), async {
        eventually(SOON, "it waits", async || {
            let lock = service.drivers().get("/v1/locks/l").await;
            (lock.body["waiting"] == 1).then_some(())
        })
        .await;
        flush(&scene).await;
    });
    assert_eq!(waited.0, 201, "{waited:?}");
}

#[actix_web::test]
async fn after_a_flush_process_memory_is_empty() {
    let scene = Scene::on(Redis::forgetful().await).with(&["--cache-local-ttl=60000"]);
    let service = started(&scene).await;
    let api = service.drivers();
    let put = json!({"value": 1, "ttl_s": 600, "local_ms": 60_000});
    let put = send(api.request(Method::PUT, "/v1/cache/n/k").json(&put)).await;
    assert_eq!(put.status, 204);
    eventually(SOON, "it is kept in the process", async || {
        (api.get("/v1/cache/n/k").await.body["level"] == "local").then_some(())
    })
    .await;
    flush(&scene).await;
    eventually(SOON, "it no longer exists", async || {
        (api.get("/v1/cache/n/k").await.status == 404).then_some(())
    })
    .await;
}
