//! Streams of events that are not read.

use super::{metric, times};
use crate::support::{Raw, Scene, eventually, send};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const UNSENT: &str = "fleetpulse_http_unsent_bytes";
/// Events of a thousand jobs each, some 22 KB.
const EVENTS: usize = 40;
const CLIENTS: usize = 10;

#[actix_web::test]
async fn a_stream_reads_only_the_events_that_it_sends_next() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let jobs = json!(times(1_000, &json!({"type": "t"})));
    for _ in 0..EVENTS {
        let added = send(api.request(Method::POST, "/v1/queues/q/jobs").json(&jobs)).await;
        assert_eq!(added.status, 201, "{added:?}");
    }
    let get = "GET /v1/queues/q/events?limit=1000 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Raw::connect(&service.url()).await;
        let head = client.send(get).await.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        clients.push(client);
    }
    // Read at once: sixteen events, because all of them may be that large.
    let unsent = metric(&api, UNSENT).await;
    assert!(unsent <= (CLIENTS * 16 * 23_000) as u64, "{unsent}");
    for client in &mut clients {
        // The first of them was received with the head.
        assert!(client.count("event: added", EVENTS - 1).await >= EVENTS - 1);
    }
    // Each stream takes memory for a moment when it reads more.
    let none_held = async || (metric(&api, UNSENT).await == 0).then_some(());
    eventually(
        Duration::from_secs(10),
        "no memory is held for events that were sent",
        none_held,
    )
    .await;
}
