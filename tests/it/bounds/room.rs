//! A nearly full Redis: calls that create something are refused and change nothing, and existing data keep working.

use crate::support::{Answer, Api, Redis, Scene, eventually, send};
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// A third of the memory in use is more than this, and far from all of it.
const FLAGS: [&str; 2] = [
    "--redis-full-percent=10",
    "--limits=login=window:5/1h,fail=closed; api=gcra:10/1h,fail=open",
];

async fn call(api: &Api, method: &str, path: &str, body: Value) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    send(api.request(method, path).json(&body)).await
}

async fn keyed(api: &Api, path: &str, body: Value) -> Answer {
    let request = api.request(Method::POST, path).header("Idempotency-Key", "k-1");
    send(request.json(&body)).await
}

/// A call that has to succeed; its body.
async fn done(api: &Api, method: &str, path: &str, body: Value) -> Value {
    let answer = call(api, method, path, body).await;
    assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
    answer.body
}

async fn current(api: &Api, method: &str, path: &str, token: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = api.request(method, &format!("/v1/sessions/current{path}"));
    send(request.bearer_auth(token)).await
}

/// The calls that create something, and their bodies.
fn creations() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("POST", "/v1/drivers/new/position", json!({"lat": 1, "lon": 1})),
        ("PUT", "/v1/drivers/new", json!({"status": "available"})),
        ("POST", "/v1/sessions", json!({"subject": "new"})),
        ("POST", "/v1/locks/new", json!({"ttl_ms": 60_000})),
        ("POST", "/v1/locks/new", json!({"ttl_ms": 60_000, "wait_ms": 60_000})),
        ("POST", "/v1/queues/new/jobs", json!({"type": "a"})),
        (
            "PUT",
            "/v1/queues/q/schedules/new",
            json!({"every_ms": 3_600_000, "job": {"type": "a"}}),
        ),
        ("PUT", "/v1/inventory/new", json!({"quantity": 1})),
        ("PUT", "/v1/inventory/grouped", json!({"quantity": 1, "group": "g"})),
        (
            "POST",
            "/v1/inventory/car/reservations",
            json!({"quantity": 1, "ttl_s": 60}),
        ),
        ("PUT", "/v1/cache/n/new", json!({"value": 1, "ttl_s": 60})),
        ("POST", "/v1/cache/tickets/n/new", json!({})),
        ("POST", "/v1/cache/counters/n/new", json!({"ttl_s": 60})),
    ]
}

/// Waits until Redis is nearly full, or is no longer.
async fn is_nearly_full(api: &Api, expected: bool) {
    eventually(SOON, "health reports how full Redis is", async || {
        let warnings = api.get("/health").await.body["warnings"].take();
        (warnings["redis_nearly_full"].is_object() == expected).then_some(())
    })
    .await;
}

fn check(policy: &str, key: &str) -> Value {
    json!({"policy": policy, "key": key})
}

/// The data that existed before.
struct Before {
    session: Value,
    grant: Value,
    hold: Value,
}

impl Before {
    async fn make(api: &Api) -> Self {
        api.place("d-1", json!({"lat": 1, "lon": 1})).await;
        assert_eq!(api.put_profile("d-1", json!({"status": "available"})).await.status, 204);
        for policy in ["login", "api"] {
            done(api, "POST", "/v1/limits/check", check(policy, "anna")).await;
        }
        done(api, "POST", "/v1/queues/q/jobs", json!({"type": "a"})).await;
        done(api, "PUT", "/v1/queues/q/schedules/s", schedule()).await;
        done(api, "PUT", "/v1/inventory/car", json!({"quantity": 5})).await;
        done(api, "PUT", "/v1/cache/n/k", json!({"value": 1, "ttl_s": 600})).await;
        done(api, "POST", "/v1/cache/counters/n/c", json!({"ttl_s": 600})).await;
        let hold = json!({"quantity": 1, "ttl_s": 600});
        Self {
            session: done(api, "POST", "/v1/sessions", json!({"subject": "anna"})).await,
            grant: done(api, "POST", "/v1/locks/dock", json!({"ttl_ms": 600_000})).await,
            hold: done(api, "POST", "/v1/inventory/car/reservations", hold).await,
        }
    }

    async fn assert_usable(&self, api: &Api) {
        api.place("d-1", json!({"lat": 3, "lon": 3})).await;
        assert_eq!(api.patch_profile("d-1", json!({"status": "busy"})).await.status, 204);
        assert_eq!(api.delete_profile("unknown").await.status, 204);
        let rotated = current(api, "POST", "/rotate", self.session["token"].as_str().unwrap()).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let ended = current(api, "DELETE", "", rotated.body["token"].as_str().unwrap()).await;
        assert_eq!(ended.status, 204, "{ended:?}");
        let held = json!({"token": self.grant["token"]});
        done(api, "POST", "/v1/locks/dock/renew", held.clone()).await;
        done(api, "POST", "/v1/locks/dock/release", held).await;
        done(api, "POST", "/v1/locks/dock", json!({"ttl_ms": 60_000})).await;
        for policy in ["login", "api"] {
            let decided = done(api, "POST", "/v1/limits/check", check(policy, "anna")).await;
            assert_eq!(decided["allowed"], true);
            assert_ne!(decided["degraded"], true);
        }
        let leased = done(api, "POST", "/v1/queues/q/lease", json!({})).await;
        let job = &leased["jobs"][0];
        let path = format!("/v1/jobs/{}/complete", job["id"].as_str().unwrap());
        done(api, "POST", &path, json!({"token": job["token"]})).await;
        done(api, "PUT", "/v1/queues/q/schedules/s", schedule()).await;
        let path = format!("/v1/reservations/{}/confirm", self.hold["id"].as_str().unwrap());
        done(api, "POST", &path, json!({})).await;
        done(api, "PUT", "/v1/inventory/car", json!({"quantity": 7})).await;
        done(api, "POST", "/v1/inventory/car/adjust", json!({"delta": 1})).await;
        done(api, "POST", "/v1/cache/counters/n/c", json!({"ttl_s": 60})).await;
        assert_eq!(api.get("/v1/cache/n/k").await.status, 200);
        let deleted = send(api.request(Method::DELETE, "/v1/cache/n/k")).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
    }
}

fn schedule() -> Value {
    json!({"every_ms": 3_600_000, "job": {"type": "a"}})
}

async fn all_creations_are_refused(api: &Api) {
    for (method, path, body) in creations() {
        let refused = call(api, method, path, body).await;
        refused.assert_problem(503, &[]);
        assert_eq!(
            refused.body["type"], "urn:fleetpulse:problem:storage_full",
            "{method} {path}: {refused:?}"
        );
        assert!(refused.retry_after.is_some(), "{refused:?}");
        assert!(
            refused.body["detail"].as_str().unwrap().contains("maxmemory"),
            "{refused:?}"
        );
    }
    // The record of an idempotency key is new as well.
    for (path, body) in [
        ("/v1/inventory/car/adjust", json!({"delta": 1})),
        ("/v1/cache/counters/n/c", json!({"ttl_s": 60})),
    ] {
        keyed(api, path, body).await.assert_problem(503, &[]);
    }
    // The policy decides about keys that are not counted yet.
    for (policy, allowed) in [("login", false), ("api", true)] {
        let decided = done(api, "POST", "/v1/limits/check", check(policy, "new")).await;
        assert_eq!(
            (&decided["allowed"], &decided["degraded"]),
            (&json!(allowed), &json!(true))
        );
    }
    let batch = json!([{"id": "d-1", "lat": 2, "lon": 2}, {"id": "new", "lat": 2, "lon": 2}]);
    let answer = api.post_batch(&batch).await;
    assert_eq!(answer.body["accepted"], 1, "{answer:?}");
    assert_eq!(answer.body["rejected"][0]["index"], 1, "{answer:?}");
}

#[actix_web::test]
async fn a_nearly_full_redis_stores_nothing_new_and_existing_data_keeps_working() {
    let scene = Scene::on(Redis::forgetful().await).with(&FLAGS);
    let service = scene.start().await;
    let api = service.drivers();
    let before = Before::make(&api).await;
    let used: String = scene.redis.query(cmd("INFO").arg("memory")).await;
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let three_times = 3 * used.trim().parse::<u64>().unwrap();
    scene.redis.configure("maxmemory", &three_times.to_string()).await;
    is_nearly_full(&api, true).await;

    let stored = scene.stored_for_callers().await;
    all_creations_are_refused(&api).await;
    assert_eq!(scene.stored_for_callers().await, stored, "refused calls change nothing");
    before.assert_usable(&api).await;

    // With room again everything is accepted.
    scene.redis.configure("maxmemory", "0").await;
    is_nearly_full(&api, false).await;
    for (method, path, body) in creations().into_iter().filter(|(_, _, body)| body["wait_ms"].is_null()) {
        done(&api, method, path, body).await;
    }
}

#[actix_web::test]
async fn the_memory_of_redis_is_a_metric() {
    let scene = Scene::on(Redis::forgetful().await);
    scene.redis.configure("maxmemory", "1gb").await;
    let service = scene.start().await;
    let api = service.drivers();
    eventually(SOON, "the memory is measured", async || {
        let used = super::metric(&api, "fleetpulse_redis_memory_bytes").await;
        (used > 500_000 && super::metric(&api, "fleetpulse_redis_max_memory_bytes").await == 1 << 30).then_some(())
    })
    .await;
}
