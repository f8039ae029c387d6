//! Health and metrics: for orchestrators, operators and Prometheus.

use crate::support::{Api, Redis, Scene, eventually, now_ms};
use fleetpulse::tracking::input::parse_rfc3339;
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// The samples of `/metrics`, by name with labels.
async fn metrics(api: &Api) -> HashMap<String, f64> {
    let answer = api.request(Method::GET, "/metrics").send().await.unwrap();
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let text = answer.text().await.unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Waits until a sample has a value.
async fn shows(api: &Api, name: &str, expected: f64) {
    eventually(SOON, &format!("{name} is {expected}"), async || {
        let seen = metrics(api).await.get(name).copied().unwrap_or(0.0);
        ((seen - expected).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_healthy_service_reports_every_component_as_ok() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let live = api.get("/health/live").await;
    assert_eq!((live.status, &live.body), (200, &json!({"status": "ok"})));
    let ready = api.get("/health/ready").await;
    assert_eq!((ready.status, &ready.body), (200, &json!({"status": "ok"})));

    let health = eventually(SOON, "all parts are well", async || {
        let health = api.get("/health").await;
        (health.body["status"] == "ok").then_some(health.body)
    })
    .await;
    for part in ["redis", "live_index"] {
        let part = &health["parts"][part];
        assert_eq!(part["state"], "ok", "{health}");
        let since = parse_rfc3339(part["since"].as_str().unwrap()).unwrap();
        assert!((now_ms() - 60_000..=now_ms()).contains(&since), "{health}");
        assert!(part["why"].is_null());
    }
}

#[actix_web::test]
async fn a_degraded_component_is_reported_with_its_reason_and_start() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=300"]);
    let service = scene.start().await;
    let api = service.drivers();
    eventually(SOON, "all is well", async || {
        (api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;
    let before = now_ms();
    scene.redis.kill();
    let health = eventually(SOON, "both parts have noticed", async || {
        let health = api.get("/health").await;
        assert_eq!(health.status, 200);
        let parts = &health.body["parts"];
        let noticed = ["redis", "live_index"]
            .iter()
            .all(|part| parts[part]["state"] == "degraded");
        noticed.then_some(health.body)
    })
    .await;
    assert_eq!(health["status"], "degraded");
    for part in ["redis", "live_index"] {
        let part = &health["parts"][part];
        assert!(!part["why"].as_str().unwrap().is_empty(), "{health}");
        assert!(
            parse_rfc3339(part["since"].as_str().unwrap()).unwrap() >= before,
            "{health}"
        );
    }
    // A restart of the service would not make Redis available, and the service answers from memory.
    assert_eq!(api.get("/health/live").await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 200);
    let report = api.get("/health/redis").await;
    report.assert_problem(503, &[]);
    assert!(report.retry_after.is_some());
    shows(&api, "fleetpulse_redis_up", 0.0).await;

    scene.redis.restart().await;
    eventually(SOON, "all is well again", async || {
        (api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;
    shows(&api, "fleetpulse_redis_up", 1.0).await;
}

#[actix_web::test]
async fn reports_about_redis_contain_no_clients_or_their_data() {
    let scene = Scene::on(Redis::durable().await);
    let service = scene.start().await;
    let api = service.drivers();
    // Everything is slow enough to be logged from here on.
    let slow = cmd("CONFIG").arg("SET").arg("slowlog-log-slower-than").arg(0).clone();
    scene.redis.query::<()>(&slow).await;
    api.place("secretive", json!({"lat": 40.7484, "lon": -73.9857})).await;
    let answer = api.get("/health/redis").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let report = &answer.body;
    assert!(
        report["version"]
            .as_str()
            .unwrap()
            .starts_with(|c: char| c.is_ascii_digit())
    );
    assert_eq!(
        (&report["role"], &report["append_only"]),
        (&"master".into(), &true.into())
    );
    for number in [
        "uptime_s",
        "used_memory_bytes",
        "connected_clients",
        "ops_per_s",
        "max_memory_bytes",
    ] {
        assert!(report[number].is_u64(), "{number}: {report}");
    }
    assert!(report["ping_ms"].as_f64().unwrap() > 0.0);
    assert!(report["hit_rate"].is_null() || report["hit_rate"].is_f64());
    let slow = report["slow_commands"].as_array().unwrap();
    assert!(!slow.is_empty() && slow.len() <= 10, "{report}");
    for command in slow {
        let mut members: Vec<_> = command.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["at_s", "command", "duration_us"]);
    }
    let text = report.to_string();
    for private in [
        "127.0.0.1",
        "secretive",
        "40.74",
        &scene.redis.url()["redis://".len()..],
    ] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[actix_web::test]
async fn the_metrics_follow_the_events() {
    let scene = Scene::on(Redis::durable().await);
    let (service, other) = (scene.start().await, scene.start().await);
    let api = service.drivers();
    let old = now_ms() - 20_000;
    api.place("d-1", json!({"lat": 1, "lon": 1})).await;
    api.post_fix("d-1", json!({"lat": 1, "lon": 1, "timestamp": old})).await;
    api.post_fix("d-1", json!({"lat": 91, "lon": 1})).await;
    api.post_batch(&json!([{"id": "d-2", "lat": 1, "lon": 1}, {"id": "d-3", "lat": 1, "lon": 1}, 7]))
        .await;
    api.nearby("lat=1&lon=1").await;
    api.nearby("lat=1").await;
    other.api("vehicles").place("v-1", json!({"lat": 1, "lon": 1})).await;

    for (name, expected) in [
        ("fleetpulse_fixes_total{kind=\"drivers\",outcome=\"stored\"}", 3.0),
        ("fleetpulse_fixes_total{kind=\"drivers\",outcome=\"stale\"}", 1.0),
        ("fleetpulse_fixes_total{kind=\"drivers\",outcome=\"rejected\"}", 2.0),
        ("fleetpulse_request_seconds_count{route=\"nearby\"}", 2.0),
        ("fleetpulse_request_seconds_count{route=\"position\"}", 3.0),
        ("fleetpulse_request_errors_total{route=\"nearby\",status=\"400\"}", 1.0),
        (
            "fleetpulse_request_errors_total{route=\"position\",status=\"422\"}",
            1.0,
        ),
        ("fleetpulse_live_entities{kind=\"drivers\"}", 3.0),
        ("fleetpulse_live_entities{kind=\"vehicles\"}", 1.0),
        ("fleetpulse_live_entities{kind=\"users\"}", 0.0),
        ("fleetpulse_unsaved_fixes{kind=\"drivers\"}", 0.0),
        ("fleetpulse_writer_queued", 0.0),
        ("fleetpulse_feed_reloads_total", 1.0),
        ("fleetpulse_redis_up", 1.0),
    ] {
        shows(&api, name, expected).await;
    }
    let samples = metrics(&api).await;
    for (name, least) in [
        ("fleetpulse_live_bytes{kind=\"drivers\"}", 1.0),
        ("fleetpulse_writer_batch_fixes_sum", 4.0),
        ("fleetpulse_redis_write_seconds_count", 3.0),
        ("fleetpulse_fix_age_seconds_count", 3.0),
        ("fleetpulse_fix_age_seconds_sum", 20.0),
        ("fleetpulse_feed_lag_seconds_count", 1.0),
        ("fleetpulse_redis_cpu_seconds_total", 1e-6),
        ("process_cpu_seconds_total", 1e-6),
        ("process_resident_memory_bytes", 1e6),
    ] {
        assert!(
            samples.get(name).is_some_and(|value| *value >= least),
            "{name}: {samples:?}"
        );
    }
    assert!(!samples.keys().any(|name| name.contains("d-1")), "no id is a label");
}

#[actix_web::test]
async fn fixes_that_wait_for_redis_are_counted() {
    let scene = Scene::on(Redis::durable().await).with(&["--workers=1", "--redis-timeout=5000"]);
    let service = scene.start().await;
    let api = service.drivers();
    // The writer has a connection, and has not detected yet that it is broken.
    api.place("d-0", json!({"lat": 1, "lon": 1})).await;
    scene.redis.freeze();
    // Once the watch has timed out, `/metrics` itself no longer waits for Redis; the writer has not tried yet.
    eventually(SOON, "the watch has noticed", async || {
        (api.get("/health").await.body["parts"]["redis"]["state"] == "degraded").then_some(())
    })
    .await;
    let waiting: Vec<_> = (0..5)
        .map(|n| {
            let api = api.clone();
            actix_web::rt::spawn(async move { api.post_fix(&format!("d-{n}"), json!({"lat": 1, "lon": 1})).await })
        })
        .collect();
    shows(&api, "fleetpulse_writer_queued", 5.0).await;
    scene.redis.thaw();
    for answer in waiting {
        let status = answer.await.unwrap().status;
        assert!([202, 204].contains(&status), "{status}");
    }
    shows(&api, "fleetpulse_writer_queued", 0.0).await;
}

#[actix_web::test]
async fn unsaved_fixes_are_counted_until_they_are_written() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=300"]);
    let service = scene.start().await;
    let api = service.drivers();
    scene.redis.kill();
    for n in 0..5 {
        let answer = api.post_fix(&format!("d-{n}"), json!({"lat": 1, "lon": 1})).await;
        assert_eq!(answer.status, 202);
    }
    shows(&api, "fleetpulse_unsaved_fixes{kind=\"drivers\"}", 5.0).await;
    shows(
        &api,
        "fleetpulse_fixes_total{kind=\"drivers\",outcome=\"buffered\"}",
        5.0,
    )
    .await;
    scene.redis.restart().await;
    shows(&api, "fleetpulse_unsaved_fixes{kind=\"drivers\"}", 0.0).await;
}
