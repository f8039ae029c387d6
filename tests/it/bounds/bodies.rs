//! Bodies in transit share a bounded memory, and a batch without memory is refused before it is read.

use super::{metric, others_are_served};
use crate::support::{Raw, Redis, Scene, eventually, now_ms, send};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const HELD: &str = "fleetpulse_http_body_bytes";
const MIB: usize = 1024 * 1024;

#[actix_web::test]
async fn large_bodies_share_a_budget_and_small_ones_do_not_use_it() {
    let scene = Scene::new().await.with(&["--max-bodies-bytes=16777216"]);
    let service = scene.start().await;
    let api = service.drivers();
    let head = "POST /v1/drivers/positions HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n[";
    let part = " ".repeat(3 * MIB);
    let mut half = Vec::new();
    for _ in 0..5 {
        let mut client = Raw::connect(&service.url()).await;
        client.send(head).await.send(&part).await;
        half.push(client);
    }
    eventually(SOON, "they hold 15 MiB", async || {
        (metric(&api, HELD).await >= 15 * MIB as u64).then_some(())
    })
    .await;
    let mut refused = Raw::connect(&service.url()).await;
    let answer = refused.send(head).await.send(&part).await.head().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after: 1"), "{answer}");
    others_are_served(&api).await;
    assert!(metric(&api, HELD).await <= 16 * MIB as u64);
    // A body of the size that needs no memory of the large ones.
    let fixes: Vec<_> = (0..500)
        .map(|n| json!({"id": format!("s-{n}"), "lat": 2, "lon": 2}))
        .collect();
    assert_eq!(api.post_batch(&json!(fixes)).await.body["accepted"], 500);
    drop(half);
    eventually(SOON, "it is free", async || {
        (metric(&api, HELD).await == 0).then_some(())
    })
    .await;
    let fixes: Vec<_> = (0..5_000)
        .map(|n| json!({"id": format!("l-{n}"), "lat": 3, "lon": 3}))
        .collect();
    assert_eq!(api.post_batch(&json!(fixes)).await.body["accepted"], 5_000);
    assert_eq!(metric(&api, HELD).await, 0);
}

#[actix_web::test]
async fn a_batch_without_memory_is_refused_before_it_is_parsed() {
    // A timeout that is so long that the service keeps waiting for the frozen Redis during the test.
    let flags = ["--workers=1", "--writer-queue=10", "--redis-timeout=30000"];
    let scene = Scene::on(Redis::durable().await).with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    let fix = |id: &str, at| json!({"id": id, "lat": 1, "lon": 1, "timestamp": at});
    api.place("first", json!({"lat": 1, "lon": 1})).await;
    scene.redis.freeze();
    let at = now_ms();
    let mut waiting: FuturesUnordered<_> = (0..6)
        .map(|n| {
            let (api, fix) = (api.clone(), fix(&format!("w-{n}"), at));
            async move { api.post_batch(&json!([fix])).await }
        })
        .collect();
    // Not JSON: parsed, it would be a 400.
    let broken = |count: usize| {
        let request = api.request(Method::POST, "/v1/drivers/positions");
        send(request.header(CONTENT_TYPE, "application/json").body("{".repeat(count)))
    };
    let sending = async {
        let answer = waiting.next().await;
        panic!("Redis is frozen: {answer:?}");
    };
    let looking = async {
        let refused = eventually(SOON, "six wait", async || {
            Some(broken(5).await).filter(|answer| answer.status == 503)
        })
        .await;
        refused.assert_problem(503, &[]);
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
        // The memory of a refused batch is released.
        for _ in 0..5 {
            broken(4).await.assert_problem(400, &[]);
        }
    };
    tokio::select! {
        () = sending => {}
        () = looking => {}
    }
    scene.redis.thaw();
    while let Some(answer) = waiting.next().await {
        assert_eq!(answer.body["accepted"], 1, "{answer:?}");
    }
    let fixes: Vec<_> = (0..10).map(|n| fix(&format!("b-{n}"), now_ms())).collect();
    assert_eq!(api.post_batch(&json!(fixes)).await.body["accepted"], 10);
    assert_eq!(metric(&api, "fleetpulse_writer_queued").await, 0);
}

#[actix_web::test]
async fn a_large_batch_is_parsed_like_a_small_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fixes: Vec<_> = (0..5_000)
        .map(|n| json!({"id": format!("d-{n}"), "lat": if n == 7 { 91 } else { 1 }, "lon": 1, "altitude_m": "?"}))
        .collect();
    let answer = api.post_batch(&json!(fixes)).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(4_999)));
    assert_eq!(answer.body["rejected"][0]["index"], 7);
    assert_eq!(answer.body["warnings_total"], 4_999);
    let lines: Vec<_> = fixes.iter().map(ToString::to_string).collect();
    let answer = api.post_ndjson(&lines.join("\n")).await;
    assert_eq!(answer.body["rejected"][0]["index"], 7);
    let broken = format!("[{}", " ".repeat(200_000));
    let request = api.request(Method::POST, "/v1/drivers/positions");
    send(request.header(CONTENT_TYPE, "application/json").body(broken))
        .await
        .assert_problem(400, &[]);
}
