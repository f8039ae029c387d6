//! The log of invalid requests: no panic, and at info neither a coordinate, an id nor a secret.

use crate::support::{Raw, Redis, Scene, ServiceProcess, eventually, send};
use fleetpulse::kind::Kind;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

/// Texts that must not be in the log, in forms that nothing else has.
const PRIVATE: [&str; 6] = [
    "40.123456",
    "73.987654",
    "hidden-7",
    "hidden-word",
    "hidden-tag",
    "hidden-secret",
];
const SOON: Duration = Duration::from_secs(20);

/// Starts the binary with its log at info, as JSON.
async fn logged(args: &[String]) -> ServiceProcess {
    let mut command = ServiceProcess::command(args);
    command.env("RUST_LOG", "info").env("LOG_FORMAT", "json");
    command.stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    process.drivers().ready().await;
    process
}

/// Valid and invalid requests of a client, with confidential values.
async fn everything(process: &ServiceProcess) {
    let api = process.drivers();
    let fix = json!({
        "id": "hidden-7", "lat": 40.123_456, "lon": -73.987_654,
        "status": "hidden-word", "attributes": {"a": "hidden-tag"},
    });
    api.post_fix("hidden-7", fix.clone()).await;
    api.post_fix("hidden-7 {}", fix.clone()).await;
    api.post_batch(&json!([fix, {"id": "hidden-7", "lat": 40.123_456}, 7]))
        .await;
    api.post_ndjson("{\"id\": \"hidden-7\", \"lat\": 40.123456\n{").await;
    api.put_profile("hidden-7", json!({"status": "hidden-word"})).await;
    api.patch_profile("hidden-7", json!({"status": 7, "hidden-word": "hidden-word"}))
        .await;
    for query in [
        "lat=40.123456&lon=-73.987654",
        "lat=40.123456&lon=-73.987654&source=redis",
        "lat=40.123456&hidden-word=1",
    ] {
        api.nearby(query).await;
    }
    api.nearby_many(json!([{"lat": 40.123_456, "lon": -73.987_654}, {"lat": "hidden-word"}]))
        .await;
    api.within("bbox=-73.987654,40.123456,-73,41").await;
    for method in [Method::GET, Method::PUT, Method::TRACE] {
        let request = api.request(method, "/v1/hidden-word/hidden-7?hidden-tag=1");
        send(request.bearer_auth("hidden-secret")).await;
    }
    let mut raw = Raw::connect(process.url()).await;
    raw.send("GET /hidden-7 hidden-word\r\nhidden-tag\r\n\r\n")
        .await
        .rest()
        .await;
    for path in ["/health", "/health/redis", "/metrics"] {
        api.get(path).await;
    }
    api.position("hidden-7").await;
    api.forget("hidden-7").await;
}

fn assert_clean(log: &str) {
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    for private in PRIVATE {
        assert!(!log.contains(private), "{private} in: {log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

#[actix_web::test]
async fn nothing_private_is_logged_before_during_and_after_an_outage_of_redis() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=300"]);
    let process = logged(&scene.args()).await;
    let api = process.drivers();
    everything(&process).await;

    // A key of another type makes Redis refuse a write, and its message is logged.
    let key = scene.geo(Kind::Drivers);
    scene.redis.query::<()>(cmd("DEL").arg(&key)).await;
    scene.redis.query::<()>(cmd("RPUSH").arg(&key).arg("x")).await;
    everything(&process).await;
    scene.redis.query::<()>(cmd("DEL").arg(&key)).await;

    scene.redis.kill();
    everything(&process).await;
    scene.redis.restart().await;
    eventually(SOON, "it has recovered", async || {
        (api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;
    everything(&process).await;
    let log = process.output();
    assert!(log.contains("\"level\":\"INFO\""), "{log}");
    assert!(log.contains("a batch could not be written"), "{log}");
    assert_clean(&log);
}

#[actix_web::test]
async fn no_password_is_logged_or_sent() {
    let redis = Redis::shared().await;
    // This server has no password, so the login fails; the test checks the message of that failure.
    let url = redis.url().replace("redis://", "redis://hidden-7:hidden-secret@");
    let process = logged(&[format!("--redis-url={url}"), "--redis-timeout=300".to_owned()]).await;
    let api = process.drivers();
    let health = eventually(SOON, "health reports the outage", async || {
        let health = api.get("/health").await;
        (health.body["parts"]["redis"]["state"] == "degraded").then_some(health)
    })
    .await;
    assert!(!health.body.to_string().contains("hidden-"), "{health:?}");
    everything(&process).await;
    assert_clean(&process.output());

    for args in [
        [format!("--redis-url={url}"), "--redis-host=localhost".to_owned()],
        [
            "--redis-url=https://hidden-7:hidden-secret@x".to_owned(),
            "--redis-password=hidden-secret".to_owned(),
        ],
    ] {
        let refusal = format!("{:?}", ServiceProcess::refusal(&args).await);
        assert!(!refusal.contains("hidden-"), "{refusal}");
    }
}
