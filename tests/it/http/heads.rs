use crate::support::{Raw, Scene, ServiceProcess, eventually};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

/// An answer's status, head and body.
fn parts(answer: &str) -> (u16, &str, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
    (status, head, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[actix_web::test]
async fn a_head_that_cannot_be_read_is_answered_with_a_problem() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(300_000));
    for (request, status) in [
        ("GARBAGE\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", 400),
        (&*long, 431),
    ] {
        let answer = Raw::connect(&service.url()).await.send(request).await.rest().await;
        let shown = &request[..request.len().min(60)];
        let (said, head, problem) = parts(&answer);
        assert_eq!(said, status, "{shown:?}: {answer}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        let length = answer.len() - head.len() - 4;
        assert!(head.contains(&format!("content-length: {length}")), "{head}");
        assert_eq!(problem["status"], status, "{shown:?}: {answer}");
        assert_eq!(problem["type"], "urn:fleetpulse:problem:malformed", "{shown:?}");
    }
    let api = service.drivers();
    let metrics = api.metrics().await;
    for counted in ["{reason=\"malformed_head\"} 5", "{reason=\"large_head\"} 1"] {
        let line = format!("fleetpulse_http_refused_total{counted}");
        assert!(metrics.lines().any(|shown| shown == line), "{line}");
    }
}

#[actix_web::test]
async fn an_invalid_request_after_a_valid_one_is_refused_after_its_answer() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let mut raw = Raw::connect(&service.url()).await;
    let good = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let said = raw.send(format!("{good}GARBAGE\r\n\r\n")).await.rest().await;
    let answers: Vec<&str> = said.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.len(), 2, "{said}");
    assert!(
        answers[0].starts_with("200 ") && answers[0].ends_with("{\"status\":\"ok\"}"),
        "{said}"
    );
    assert!(
        answers[1].starts_with("400 ") && answers[1].contains("urn:fleetpulse:problem:malformed"),
        "{said}"
    );
}

#[actix_web::test]
async fn client_faults_are_logged_only_at_debug() {
    let scene = Scene::new().await;
    for (level, shown) in [("info", false), ("info,fleetpulse=debug", true)] {
        let mut command = ServiceProcess::command(&scene.args());
        command.env("RUST_LOG", level).stderr(Stdio::piped());
        let service = ServiceProcess::spawn(command).await;
        service.drivers().ready().await;
        Raw::connect(service.url())
            .await
            .send("GARBAGE\r\n\r\n")
            .await
            .rest()
            .await;
        // Logged after the lines that the client has caused.
        service.request_stop();
        let said = eventually(Duration::from_secs(20), "it stops", async || {
            Some(service.output()).filter(|said| said.contains("stopping"))
        });
        let said = said.await;
        assert!(
            !said.contains("stream error") && !said.contains("ERROR"),
            "{level}: {said}"
        );
        let line = said.lines().find(|line| line.contains("a request head was refused"));
        assert_eq!(line.is_some(), shown, "{level}: {said}");
        assert!(
            line.is_none_or(|line| line.contains("127.0.0.1:") && line.contains("malformed_head")),
            "{line:?}"
        );
    }
}
