//! Calls that acquire something for a client that does not receive it: the client has disconnected with a FIN or a RST, or the reply was
//! late, and the command arrived after its undo. No call leaves anything acquired.

use super::{NOTICE, SOON};
use crate::support::{AbandonedPost, Answer, Api, Disconnect, DisconnectingClients, Proxy, Raw, Scene, Service, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A call that acquires something, and a call that shows that it was released.
struct Call {
    sent: AbandonedPost,
    /// A part of the last command that is sent to Redis before the response.
    command: &'static str,
    probe: Probe,
}

/// A call that has this answer if everything was released.
struct Probe {
    method: Method,
    path: &'static str,
    body: Value,
    is_free: fn(&Answer) -> bool,
}

fn calls() -> Vec<Call> {
    let call = |path: &str, body, command, probe| Call {
        sent: AbandonedPost::new(path, body),
        command,
        probe,
    };
    let get = |path, is_free| Probe {
        method: Method::GET,
        path,
        body: Value::Null,
        is_free,
    };
    let post = |path, body, is_free| Probe {
        method: Method::POST,
        path,
        body,
        is_free,
    };
    vec![
        call(
            "/v1/locks/l",
            json!({"ttl_ms": 600_000}),
            "lock:{l}",
            get("/v1/locks/l", |answer| answer.status == 404),
        ),
        // The queue of a held lock is empty.
        call(
            "/v1/locks/held",
            json!({"ttl_ms": 600_000, "wait_ms": 30_000}),
            "lock:{held}",
            get("/v1/locks/held", |answer| answer.body["waiting"] == 0),
        ),
        // It has one attempt, so an undelivered lease would make it dead at the end of the lease.
        call(
            "/v1/queues/once/lease",
            json!({"lease_ms": 600_000}),
            "once",
            get("/v1/queues/once", |answer| {
                answer.body["counts"]["ready"] == 1 && answer.body["counts"]["leased"] == 0
            }),
        ),
        call(
            "/v1/queues/next/settle",
            json!({"jobs": [], "lease_next": {"lease_ms": 600_000}}),
            "next",
            get("/v1/queues/next", |answer| {
                answer.body["counts"]["ready"] == 1 && answer.body["counts"]["leased"] == 0
            }),
        ),
        call(
            "/v1/cache/tickets/n/k",
            json!({"lease_ms": 300_000}),
            "cache-lease:",
            post("/v1/cache/tickets/n/k", json!({"lease_ms": 1}), |answer| {
                answer.status == 201
            }),
        ),
        call(
            "/v1/sessions",
            json!({"subject": "rider-1"}),
            "rider-1",
            get("/v1/subjects/rider-1/sessions", |answer| {
                answer.body["sessions"].as_array().is_some_and(Vec::is_empty)
            }),
        ),
        call(
            "/v1/inventory/seat/reservations",
            json!({"quantity": 1, "ttl_s": 600}),
            "600000",
            get("/v1/inventory/seat", |answer| answer.body["reserved"] == 0),
        ),
        call(
            "/v1/reservations",
            json!({"items": [{"sku": "here", "quantity": 1}, {"sku": "there", "quantity": 1}], "ttl_s": 600}),
            "there",
            get("/v1/inventory/there", |answer| answer.body["reserved"] == 0),
        ),
    ]
}

/// An instance behind a proxy, another one with a direct connection to the same Redis, and the data of the calls.
async fn prepared(args: &[&str]) -> (Scene, Proxy, Service, Service) {
    let scene = Scene::new().await.with(args);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut late = scene.args();
    late.extend([format!("--redis-url={}", proxy.url()), "--workers=1".to_owned()]);
    let (late, other) = (Service::start(&late).await, scene.start().await);
    let api = late.drivers();
    for sku in ["seat", "here", "there", "warm"] {
        let put = api.request(Method::PUT, &format!("/v1/inventory/{sku}"));
        assert_eq!(send(put.json(&json!({"quantity": 1}))).await.status, 201);
    }
    for queue in ["once", "next"] {
        let job = json!({"type": "a", "max_attempts": 1});
        post(&api, &format!("/v1/queues/{queue}/jobs"), job).await;
    }
    post(&api, "/v1/locks/held", json!({"ttl_ms": 600_000})).await;
    // From now on Redis has the scripts, so each command is executed when it arrives.
    for (path, body) in [
        ("/v1/locks/warm", json!({"ttl_ms": 1_000})),
        ("/v1/queues/warm/lease", json!({})),
        ("/v1/cache/tickets/n/warm", json!({"lease_ms": 1})),
        ("/v1/sessions", json!({"subject": "warm"})),
        ("/v1/inventory/warm/reservations", json!({"quantity": 1, "ttl_s": 1})),
        (
            "/v1/cache/n",
            json!({"set": [{"key": "warm", "value": 1, "ttl_s": 60}]}),
        ),
    ] {
        post(&api, path, body).await;
    }
    (scene, proxy, late, other)
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    let answer = send(api.request(Method::POST, path).json(&body)).await;
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer
}

/// The end of a leased job, with which the next one is leased.
async fn ending(service: &Service) -> Call {
    let api = service.drivers();
    let jobs = json!([{"type": "a", "max_attempts": 1}, {"type": "a", "max_attempts": 1}]);
    post(&api, "/v1/queues/ended/jobs", jobs).await;
    let leased = post(&api, "/v1/queues/ended/lease", json!({"lease_ms": 600_000})).await;
    let job = &leased.body["jobs"][0];
    let body = json!({"token": job["token"], "lease_next": {"lease_ms": 600_000}});
    Call {
        sent: AbandonedPost::new(format!("/v1/jobs/{}/complete", job["id"].as_str().unwrap()), body),
        command: "ended",
        probe: Probe {
            method: Method::GET,
            path: "/v1/queues/ended",
            body: Value::Null,
            is_free: |answer| answer.body["counts"]["ready"] != 0 && answer.body["counts"]["leased"] == 0,
        },
    }
}

/// Sends a call, and returns when its command is held back.
async fn under_way(proxy: &Proxy, service: &Service, call: &Call) -> Raw {
    proxy.keep_back(call.command);
    let client = call.sent.send(service).await;
    proxy.keeps_something().await;
    client
}

async fn assert_released(api: &Api, call: &Call, how: &str) {
    assert_released_within(SOON, api, call, how).await;
}

async fn assert_released_within(time: Duration, api: &Api, call: &Call, how: &str) {
    let Probe {
        method,
        path,
        body,
        is_free,
    } = &call.probe;
    let last = RefCell::new(None);
    let freed = timeout(time, async {
        loop {
            let request = api.request(method.clone(), path);
            let answer = send(if body.is_null() { request } else { request.json(body) }).await;
            if is_free(&answer) {
                return;
            }
            last.replace(Some(answer));
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(freed.await.is_ok(), "{:?} is kept after {how}: {last:?}", call.sent);
}

#[actix_web::test]
async fn a_disconnected_client_holds_nothing_that_it_never_received() {
    let (_scene, proxy, service, other) = prepared(&["--redis-timeout=20000"]).await;
    for how in [Disconnect::Fin, Disconnect::Rst] {
        for call in calls().into_iter().chain([ending(&service).await]) {
            let mut client = under_way(&proxy, &service, &call).await;
            if how == Disconnect::Fin {
                client.close_own_side().await;
                proxy.let_go().await;
                // The service has finished it.
                client.rest().await;
            } else {
                client.leave(how);
                proxy.let_go().await;
            }
            assert_released(&other.drivers(), &call, &format!("{how:?}")).await;
        }
    }
}

#[actix_web::test]
async fn an_abandoned_command_is_not_executed_after_its_undo() {
    let (_scene, proxy, service, other) = prepared(&[NOTICE]).await;
    for call in calls() {
        let mut client = under_way(&proxy, &service, &call).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 503"), "{:?}: {head}", call.sent);
        // The instance has another connection by then, and has released on it what it could.
        assert_released(&service.drivers(), &call, "a late answer").await;
        proxy.let_go().await;
        assert_released(&other.drivers(), &call, "its arrival").await;
    }
}

#[actix_web::test]
async fn an_abandoned_write_does_not_undo_a_deletion() {
    let (_scene, proxy, service, other) = prepared(&[NOTICE]).await;
    let write = Call {
        sent: AbandonedPost::new("/v1/cache/n", json!({"set": [{"key": "k", "value": 1, "ttl_s": 60}]})),
        command: "cache:{c:",
        probe: Probe {
            method: Method::GET,
            path: "/v1/cache/n/k",
            body: Value::Null,
            is_free: |answer| answer.status == 404,
        },
    };
    let mut client = under_way(&proxy, &service, &write).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let delete = other.drivers().request(Method::DELETE, "/v1/cache/n/k");
    assert_eq!(send(delete).await.status, 204);
    proxy.let_go().await;
    let found = send(other.drivers().request(Method::GET, "/v1/cache/n/k")).await;
    assert_eq!(found.status, 404, "{found:?}");
}

#[actix_web::test]
async fn a_write_that_a_proxy_interrupted_does_not_undo_a_deletion() {
    let scene = Scene::new().await.with(&["--redis-timeout=5000", "--workers=1"]);
    // With a latency at which a new connection takes a while.
    let proxy = Proxy::far_from(&scene.redis.url(), Duration::from_millis(60)).await;
    let mut args = scene.args();
    args.push(format!("--redis-url={}", proxy.url()));
    let (service, other) = (Service::start(&args).await, scene.start().await);
    let set = |key: &str| AbandonedPost::new("/v1/cache/n", json!({"set": [{"key": key, "value": 1, "ttl_s": 60}]}));
    // The connection is not short-lived, and Redis has the script.
    sleep(Duration::from_millis(1_100)).await;
    set("warm").send(&service).await.head().await;
    proxy.keep_back("n/k");
    let mut client = set("k").send(&service).await;
    proxy.keeps_something().await;
    proxy.hang_up();
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let delete = other.drivers().request(Method::DELETE, "/v1/cache/n/k");
    assert_eq!(send(delete).await.status, 204);
    proxy.let_go().await;
    let found = send(other.drivers().request(Method::GET, "/v1/cache/n/k")).await;
    assert_eq!(found.status, 404, "{found:?}");
}

#[actix_web::test]
async fn many_disconnecting_clients_on_slow_connections_leave_nothing_in_redis() {
    let (scene, _proxy, _service, other) = prepared(&[]).await;
    let (disconnecting, calls) = (DisconnectingClients::beside(&scene).await, calls());
    let sent = |_round| {
        calls
            .iter()
            .flat_map(|call| [call.sent.clone(), call.sent.clone()])
            .collect()
    };
    let left = disconnecting.storm(Duration::from_secs(5), sent).await;
    assert!(left > 50, "{left}");
    // A part of a reservation that was never decided expires after this time.
    let parts_expire = Duration::from_secs(30);
    for call in &calls {
        assert_released_within(parts_expire + SOON, &other.drivers(), call, "the storm").await;
    }
}
