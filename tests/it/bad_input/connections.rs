//! Clients that are slow, stop half-way, or do not send HTTP.

use super::still_works;
use crate::support::{Raw, Scene};
use std::time::Duration;
use tokio::time::{interval, timeout};

const HALF_A_HEAD: &str = "POST /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\nContent-Le";
const HALF_A_BODY: &str =
    "POST /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n{\"lat\": 1, ";

/// Short timeouts for the tests.
async fn impatient() -> Scene {
    Scene::new().await.with(&["--request-timeout=1000"])
}

#[actix_web::test]
async fn half_a_head_times_out_and_does_not_affect_others() {
    let scene = impatient().await;
    let service = scene.start().await;
    let mut half = Raw::connect(&service.url()).await;
    half.send(HALF_A_HEAD).await;
    still_works(&service.drivers()).await;
    let before = scene.stored_for_callers().await;
    let answer = half.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(scene.stored_for_callers().await, before);
}

#[actix_web::test]
async fn half_a_body_times_out_and_is_not_stored() {
    let scene = impatient().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mut half = Raw::connect(&service.url()).await;
    half.send(HALF_A_BODY).await;
    still_works(&api).await;
    let answer = half.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert_eq!(api.position("d-1").await.status, 404);
}

#[actix_web::test]
async fn a_slow_body_has_the_same_timeout_as_one_that_stops() {
    let scene = impatient().await;
    let service = scene.start().await;
    let mut slow = Raw::connect(&service.url()).await;
    slow.send("POST /v1/drivers/positions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut pace = interval(Duration::from_millis(20));
    let trickling = async {
        loop {
            pace.tick().await;
            if let Some(answer) = slow.send("1\r\n \r\n").await.answered().await {
                break answer;
            }
        }
    };
    let answer = timeout(Duration::from_secs(10), trickling).await;
    let answer = answer.expect("it must not wait forever");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    still_works(&service.drivers()).await;
}

#[actix_web::test]
async fn a_truncated_body_is_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for _ in 0..20 {
        let mut half = Raw::connect(&service.url()).await;
        half.send(HALF_A_BODY).await;
    }
    still_works(&api).await;
    assert_eq!(api.position("d-1").await.status, 404);
}

#[actix_web::test]
async fn a_hundred_slow_clients_do_not_delay_others() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let mut slow = Vec::new();
    for n in 0..100 {
        let mut client = Raw::connect(&service.url()).await;
        client.send(if n % 2 == 0 { HALF_A_HEAD } else { HALF_A_BODY }).await;
        slow.push(client);
    }
    let api = service.drivers();
    let quick = timeout(Duration::from_secs(5), still_works(&api)).await;
    quick.expect("others are served in the meantime");
}

#[actix_web::test]
async fn bytes_that_are_not_http_are_a_400_and_close_the_connection() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let before = scene.stored_for_callers().await;
    let post = "POST /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\n";
    let fix = "{\"lat\": 1, \"lon\": 1}";
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/drivers/a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n",
        format!("{post}Content-Length: -1\r\n\r\n").as_bytes(),
        format!("{post}Content-Length: 99999999999999999999\r\n\r\n").as_bytes(),
        format!("{post}Content-Length: 20\r\nContent-Length: 21\r\n\r\n{fix}").as_bytes(),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{fix}\r\n0\r\n\r\n").as_bytes(),
    ] {
        let mut client = Raw::connect(&service.url()).await;
        let answer = client.send(garbage).await.rest().await;
        assert!(
            answer.starts_with("HTTP/1.1 400 "),
            "{}: {answer}",
            garbage.escape_ascii()
        );
    }
    assert_eq!(scene.stored_for_callers().await, before);
    still_works(&service.drivers()).await;
}

#[actix_web::test]
async fn oversized_heads_are_refused_without_affecting_others() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let long = "x".repeat(1024 * 1024);
    let many = "x-many: y\r\n".repeat(10_000);
    for head in [
        format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        let mut client = Raw::connect(&service.url()).await;
        let answer = client.send(&head).await.head().await;
        // The connection is closed while the client still sends, so the answer may be lost with it.
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{head:.60}: {answer}");
    }
    still_works(&service.drivers()).await;
}

#[actix_web::test]
async fn garbage_after_valid_requests_does_not_affect_them() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fix = "{\"lat\": 1, \"lon\": 1}";
    let post = |id: &str| {
        let length = fix.len();
        format!("POST /v1/drivers/{id}/position HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{fix}")
    };
    let mut client = Raw::connect(&service.url()).await;
    let said = format!("{}{}\x01\r\n\r\n{}", post("d-1"), post("d-2"), post("d-3"));
    let answer = client.send(&said).await.rest().await;
    assert_eq!(answer.matches("HTTP/1.1 204 ").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400 ").count(), 1, "{answer}");
    assert_eq!(api.position("d-1").await.status, 200);
    assert_eq!(api.position("d-2").await.status, 200);
    assert_eq!(api.position("d-3").await.status, 404);
}
