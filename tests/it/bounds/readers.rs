//! Clients that do not read their answers.

use super::{metric, others_are_served, place_fat, times};
use crate::support::{Api, Raw, Scene, eventually};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(20);
/// Requests that one client pipelines.
const COUNT: usize = 20_000;
const UNSENT: &str = "fleetpulse_http_unsent_bytes";
const CUT_OFF: &str = "fleetpulse_http_write_timeouts_total";

/// A request for 4 MiB.
const MUCH: &str = "GET /v1/drivers/nearby?lat=60&lon=25&limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";

async fn asked(url: &str, count: usize) -> Vec<Raw> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Raw::connect(url).await;
        client.send(MUCH).await;
        clients.push(client);
    }
    clients
}

#[actix_web::test]
async fn clients_that_do_not_read_use_bounded_memory_for_a_bounded_time() {
    let flags = ["--write-timeout=3000", "--max-unsent-bytes=16777216"];
    let scene = Scene::new().await.with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    place_fat(&api, 100).await;
    let clients = asked(&service.url(), 20).await;
    // Four answers fit. The others are refused, and small answers are sent.
    let refused = Api::new(service.url(), "drivers");
    let refused = eventually(SOON, "no more memory", async || {
        let answer = refused.nearby("lat=60&lon=25&limit=1000").await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    refused.assert_problem(503, &[]);
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    let many = api.nearby_many(json!([{"lat": 1, "lon": 1}])).await;
    many.assert_problem(503, &[]);
    assert!(metric(&api, UNSENT).await <= 16_777_216);
    others_are_served(&api).await;
    // Clients that do not read are disconnected, and their memory is freed.
    eventually(SOON, "they are cut off", async || {
        (metric(&api, UNSENT).await == 0).then_some(())
    })
    .await;
    assert!(metric(&api, CUT_OFF).await >= 3);
    let nearest = api.nearby("lat=60&lon=25&limit=1000").await;
    assert_eq!((nearest.status, &nearest.body["truncated"]), (200, &json!(true)));
    drop(clients);
}

#[actix_web::test]
async fn unread_faults_of_batches_use_bounded_memory() {
    let flags = ["--write-timeout=60000", "--max-unsent-bytes=16777216"];
    let scene = Scene::new().await.with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    // Each of its elements is refused with some 70 bytes.
    let body = format!("[{}]", "{},".repeat(10_000).trim_end_matches(','));
    let head = format!(
        "POST /v1/drivers/positions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = Raw::connect(&service.url()).await;
        client.send(&head).await.send(&body).await;
        clients.push(client);
    }
    eventually(SOON, "no more memory", async || {
        let answer = api.post_batch(&json!(times(10_000, &json!({})))).await;
        (answer.status == 503).then_some(())
    })
    .await;
    assert!(metric(&api, UNSENT).await <= 16_777_216);
    others_are_served(&api).await;
    drop(clients);
}

#[actix_web::test]
async fn a_client_that_reads_single_bytes_is_disconnected_too() {
    let scene = Scene::new().await.with(&["--write-timeout=500"]);
    let service = scene.start().await;
    let api = service.drivers();
    place_fat(&api, 100).await;
    let mut clients = asked(&service.url(), 1).await;
    let mut slow = clients.remove(0);
    let begin = Instant::now();
    while metric(&api, CUT_OFF).await == 0 {
        assert!(slow.one_byte().await.is_some());
        assert!(begin.elapsed() < SOON, "it is cut off");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(metric(&api, UNSENT).await, 0);
}

#[actix_web::test]
async fn a_client_that_reads_slowly_gets_its_answer() {
    let scene = Scene::new().await.with(&["--write-timeout=1000"]);
    let service = scene.start().await;
    let api = service.drivers();
    place_fat(&api, 100).await;
    let mut clients = asked(&service.url(), 1).await;
    let mut slow = clients.remove(0);
    // Some 4 MiB in 64 pieces within some 3 s: longer than the time for one piece.
    let (mut pieces, begin) = (0, Instant::now());
    loop {
        sleep(Duration::from_millis(40)).await;
        pieces += 1;
        if slow.read_piece(64 * 1024).await.ends_with(b"}") && pieces > 60 {
            break;
        }
        assert!(pieces < 2_000, "it ends");
    }
    assert!(begin.elapsed() > Duration::from_millis(1_500));
    assert_eq!(metric(&api, CUT_OFF).await, 0);
}

#[actix_web::test]
async fn the_answers_of_pipelined_requests_do_not_accumulate() {
    let scene = Scene::new().await.with(&["--write-timeout=60000"]);
    let service = scene.start().await;
    let api = service.drivers();
    // Many small requests with an empty answer each, which do not use the memory for answers.
    let request = "DELETE /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = Raw::connect(&service.url()).await;
    let bytes = request.repeat(COUNT);
    let taken = client.say_while_taken(&bytes).await;
    others_are_served(&api).await;
    // All complete requests are answered once the client reads.
    let whole = taken / request.len();
    assert_eq!(client.count("HTTP/1.1 204 ", whole).await, whole);
}
