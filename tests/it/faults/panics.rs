//! Panics in the service's tasks: each is logged and counted, is reported in `/health`, and affects only the work in progress.

use super::{NOTICE, SOON, becomes, here, is_stored, is_taken};
use crate::support::{Answer, Api, Redis, Scene, ServiceProcess, eventually, send};
use actix_web::rt::spawn;
use fleetpulse::store::Keys;
use fleetpulse::tracking::input::parse_rfc3339;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Stdio;

/// Every long-lived task, and how many panics to cause: six in a row for each of its copies in an instance with one worker.
const TASKS: [(&str, u32); 21] = [
    ("cache.invalidations", 6),
    ("cache.reads", 12),
    ("health.redis", 6),
    ("inventory.batches", 192),
    ("inventory.sweep", 6),
    ("jobs.pool", 6),
    ("jobs.schedules", 6),
    ("jobs.sweep", 6),
    ("jobs.wakeups", 6),
    ("limits.settling", 6),
    ("locks.wakeups", 6),
    ("redis.connecting", 12),
    ("redis.forgetting", 6),
    ("redis.keep_alive", 12),
    ("redis.life", 6),
    ("sessions.stats", 6),
    ("tracking.expiry", 6),
    ("tracking.feed", 6),
    ("tracking.flush", 6),
    ("tracking.rebuild", 6),
    ("tracking.writer", 6),
];

fn is_task(part: &str) -> bool {
    TASKS.iter().any(|(task, _)| *task == part)
}

/// Starts the binary with one worker and these failpoints. Its log is kept.
async fn armed<R: AsRef<Redis>>(scene: &Scene<R>, failpoints: &str) -> ServiceProcess {
    let mut args = scene.args();
    args.push("--workers=1".to_owned());
    let mut command = ServiceProcess::command(&args);
    command.env("FLEETPULSE_FAILPOINTS", failpoints).stderr(Stdio::piped());
    ServiceProcess::spawn(command).await
}

/// Returns how often a task was restarted.
async fn restarts(api: &Api, task: &str) -> u32 {
    let metrics = api.request(Method::GET, "/metrics").send().await.unwrap();
    let text = metrics.text().await.unwrap();
    let sample = format!("fleetpulse_task_restarts_total{{task=\"{task}\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&sample));
    found.map_or(0, |value| value.parse().unwrap())
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    send(api.request(Method::POST, path).json(&body)).await
}

/// Asserts that an answer reports an interruption by a panic, and not a fault of the client or of Redis.
fn is_interrupted(answer: &Answer) {
    answer.assert_problem(503, &[]);
    assert!(answer.retry_after.is_some(), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("a fault of the service") && !detail.contains("Redis"),
        "{detail}"
    );
}

#[actix_web::test]
async fn every_task_that_panics_is_restarted() {
    let limits = ["--limits=api=gcra:1000/1s,burst=1000", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let failpoints: Vec<String> = TASKS
        .iter()
        .map(|(task, times)| format!("{task}=panic:{times}"))
        .collect();
    let service = armed(&scene, &failpoints.join(";")).await;
    let api = service.drivers();
    let mut degraded = BTreeSet::new();
    eventually(SOON * 2, "every task runs", async || {
        let health = api.get("/health").await.body;
        let parts = health["parts"].as_object().unwrap();
        let is_known = |part: &String| part.as_str() == "redis" || part.as_str() == "live_index" || is_task(part);
        assert!(
            parts.keys().all(is_known),
            "a task that this story does not know: {health}"
        );
        let down = |(name, _): &(&str, u32)| parts.get(*name).is_some_and(|part| part["state"] == "degraded");
        let before = degraded.len();
        degraded.extend(TASKS.iter().filter(|task| down(task)).map(|(name, _)| *name));
        let is_any_down = TASKS.iter().any(down);
        assert!(!is_any_down || health["status"] == "degraded", "{health}");
        (before > 0 && health["status"] == "ok").then_some(())
    })
    .await;
    for (task, times) in TASKS {
        assert!(degraded.contains(task), "{task} was never shown as degraded");
        assert_eq!(restarts(&api, task).await, times, "{task}");
        let line = format!("task=\"{task}\" panic=\"failpoint {task}\"");
        assert!(
            service.output().contains(&line),
            "{task} is not in the log:\n{}",
            service.output()
        );
    }
    assert_eq!(api.get("/health/live").await.status, 200);
    api.ready().await;
    api.place("d-1", here()).await;
    assert!(service.terminate().await.success());
}

#[actix_web::test]
async fn a_position_in_progress_at_a_panic_is_a_503_and_the_next_is_stored() {
    let scene = Scene::on(Redis::durable().await);
    let service = armed(&scene, "tracking.writer.fix@bad=panic:2").await;
    let api = service.drivers();
    api.ready().await;
    becomes(&api, "ok").await;
    is_interrupted(&api.post_fix("bad", here()).await);
    assert_eq!(api.position("bad").await.status, 404);
    api.place("good", here()).await;
    // A batch is answered as a whole: repeated, it is stored as a whole.
    let batch = json!([{"id": "good", "lat": 1, "lon": 1}, {"id": "bad", "lat": 1, "lon": 1}]);
    is_interrupted(&api.post_batch(&batch).await);
    let again = api.post_batch(&batch).await;
    assert_eq!((again.status, &again.body["accepted"]), (200, &json!(2)), "{again:?}");
    assert_eq!(restarts(&api, "tracking.writer").await, 2);
    becomes(&api, "ok").await;
    // Interrupted work takes no room in the queue.
    let metrics = api.request(Method::GET, "/metrics").send().await.unwrap();
    let text = metrics.text().await.unwrap();
    assert!(text.contains("fleetpulse_writer_queued 0"), "{text}");
}

#[actix_web::test]
async fn an_index_whose_change_panics_is_loaded_again() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = armed(&scene, "tracking.live@bad=panic:1").await;
    let api = service.drivers();
    api.ready().await;
    let ids: Vec<String> = (0..1_000).map(|n| format!("d-{n}")).collect();
    let fixes: Vec<Value> = ids.iter().map(|id| json!({"id": id, "lat": 1, "lon": 1})).collect();
    api.place_all(&fixes).await;
    // Redis has stored the position before the panic.
    is_interrupted(&api.post_fix("bad", here()).await);
    eventually(SOON, "everything is there again", async || {
        let is_there = api.position("d-999").await.status == 200 && api.position("bad").await.status == 200;
        let all = api.nearby("lat=1&lon=1&limit=1000").await;
        (is_there && all.body["results"].as_array().is_some_and(|all| all.len() == 1_000)).then_some(())
    })
    .await;
    becomes(&api, "ok").await;
    assert!(
        service
            .output()
            .contains("a panic interrupted a change of the live index"),
        "{}",
        service.output()
    );
    api.place("bad", here()).await;
}

#[actix_web::test]
async fn unsaved_positions_survive_a_damaged_index() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = armed(&scene, "tracking.live@bad=panic:1").await;
    let api = service.drivers();
    api.place("v-1", here()).await;
    scene.redis.kill();
    eventually(SOON, "positions are buffered", async || {
        (api.post_fix("u-1", here()).await.status == 202).then_some(())
    })
    .await;
    is_interrupted(&api.post_fix("bad", here()).await);
    eventually(SOON, "the buffered position is there", async || {
        (api.position("u-1").await.status == 200).then_some(())
    })
    .await;
    scene.redis.restart().await;
    let at = api.position("u-1").await.body["timestamp"].as_str().unwrap().to_owned();
    is_stored(&scene, "u-1", parse_rfc3339(&at).unwrap()).await;
    is_taken(&api, "bad", here()).await;
    becomes(&api, "ok").await;
    assert_eq!(api.position("v-1").await.status, 200);
}

/// Creates two items in different partitions: a reservation of both takes a saga.
async fn two_items(api: &Api) -> [String; 2] {
    let mut names = (0..).map(|n| format!("sku-{n}"));
    let first = names.next().unwrap();
    let apart = |name: &String| Keys::inventory_partition(name) != Keys::inventory_partition(&first);
    let second = names.find(apart).unwrap();
    for sku in [&first, &second] {
        let put = api.request(Method::PUT, &format!("/v1/inventory/{sku}"));
        let put = send(put.json(&json!({"quantity": 10}))).await;
        assert!(put.status < 300, "{put:?}");
    }
    [first, second]
}

#[actix_web::test]
async fn a_panic_in_a_saga_is_not_reported_as_an_error_of_redis() {
    let scene = Scene::new().await;
    let service = armed(&scene, "inventory.saga=panic:1;inventory.batches@batch=panic:1").await;
    let api = service.drivers();
    api.ready().await;
    let skus = two_items(&api).await;
    let items: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
    // One without a name would be released in the background, by a batch.
    let order = json!({"items": items, "ttl_s": 600, "id": "order-1"});
    is_interrupted(&post(&api, "/v1/reservations", order.clone()).await);
    // The next one reaches the batches, which panic as well.
    is_interrupted(&post(&api, "/v1/reservations", order.clone()).await);
    let made = post(&api, "/v1/reservations", order).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(
        service.output().contains("task=\"inventory.saga\""),
        "{}",
        service.output()
    );
    assert_eq!(restarts(&api, "inventory.batches").await, 1);
    becomes(&api, "ok").await;
}

#[actix_web::test]
async fn a_panic_during_a_request_is_answered_and_the_service_continues() {
    // Nothing else reads this cache or leases these jobs.
    let scene = Scene::new().await.with(&["--work-concurrency=0"]);
    let failpoints = "cache.reads@batch=panic:1;jobs.lease=panic:1;jobs.settle=panic:1;jobs.wakeups@wanted=panic:1";
    let service = armed(&scene, failpoints).await;
    let api = service.drivers();
    api.ready().await;
    is_interrupted(&api.get("/v1/cache/things/one").await);
    assert_eq!(api.get("/v1/cache/things/one").await.status, 404);

    is_interrupted(&post(&api, "/v1/queues/mail/lease", json!({})).await);
    let added = post(&api, "/v1/queues/mail/jobs", json!({"type": "send", "payload": {}})).await;
    assert_eq!(added.status, 201, "{added:?}");
    // Waiters are woken by messages, which are received again after the panic.
    let leased = post(&api, "/v1/queues/mail/lease", json!({"wait_ms": 10_000})).await;
    assert_eq!(leased.body["jobs"].as_array().map(Vec::len), Some(1), "{leased:?}");
    becomes(&api, "ok").await;
}

#[actix_web::test]
async fn waiters_are_woken_even_if_the_message_handler_panics() {
    let scene = Scene::new().await;
    let service = armed(&scene, "locks.wakeups@message=panic:1").await;
    let api = service.drivers();
    api.ready().await;
    let held = post(&api, "/v1/locks/l", json!({"owner": "a", "ttl_ms": 60_000})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let waiting = {
        let api = api.clone();
        spawn(async move {
            post(
                &api,
                "/v1/locks/l",
                json!({"owner": "b", "ttl_ms": 60_000, "wait_ms": 20_000}),
            )
            .await
        })
    };
    eventually(SOON, "it waits", async || {
        (api.get("/v1/locks/l").await.body["waiting"] == 1).then_some(())
    })
    .await;
    let release = api.request(Method::DELETE, "/v1/locks/l");
    let released = send(release.json(&json!({"token": held.body["token"]}))).await;
    assert_eq!(released.status, 204, "{released:?}");
    let granted = waiting.await.unwrap();
    assert_eq!(granted.status, 201, "{granted:?}");
    becomes(&api, "ok").await;
    assert_eq!(restarts(&api, "locks.wakeups").await, 1);
}

#[actix_web::test]
async fn a_handler_that_panics_is_answered_500() {
    let scene = Scene::new().await;
    let service = armed(&scene, "http@nearby=panic:1").await;
    let api = service.drivers();
    api.ready().await;
    api.nearby("lat=1&lon=1").await.assert_problem(500, &[]);
    assert_eq!(api.nearby("lat=1&lon=1").await.status, 200);
    assert!(service.output().contains("task=\"nearby\""), "{}", service.output());
}
