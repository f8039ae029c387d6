//! Redis is unavailable, frozen, and available again.

use super::{Calls, ms};
use crate::support::{Answer, Redis, Scene, eventually};
use fleetpulse::ids::ExternalId;
use fleetpulse::sessions::SessionPartition;
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);
const NOTICE: &str = "--redis-timeout=300";

/// Every call that needs Redis.
async fn all(calls: &Calls, token: &str) -> Vec<Answer> {
    vec![
        calls.get(token).await,
        calls.patch(token, 1, json!({"a": 1})).await,
        calls.rotate(token).await,
        calls.extend(token, 60).await,
        calls.sign_out(token).await,
        calls.create(json!({"subject": "anna"})).await,
        calls.list("anna").await,
        calls.end("anna", "").await,
        calls.end("anna", &format!("/{}", "0".repeat(32))).await,
    ]
}

#[actix_web::test]
async fn without_redis_every_call_fails_at_once() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let (kept, over) = (calls.open("anna").await, calls.open("anna").await);
    assert_eq!(calls.sign_out(&over.token).await.status, 204);
    scene.redis.kill();
    eventually(SOON, "the outage is detected", async || {
        (calls.0.get("/health").await.body["status"] == "degraded").then_some(())
    })
    .await;
    let asked = Instant::now();
    for answer in all(&calls, &kept.token).await {
        answer.assert_problem(503, &[]);
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    // Faults of a call are still reported.
    calls
        .with("fps_none", Method::GET, "", None)
        .await
        .assert_problem(401, &[]);
    calls
        .create(json!({"subject": "a\nb"}))
        .await
        .assert_problem(422, &["/subject"]);
    assert_eq!(calls.0.get("/v1/sessions/stats").await.status, 200);

    scene.redis.restart().await;
    eventually(SOON, "every worker is connected again", async || {
        for _ in 0..8 {
            if calls.get(&kept.token).await.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
    calls.get(&over.token).await.assert_problem(401, &[]);
}

#[actix_web::test]
async fn a_full_redis_keeps_existing_sessions_and_refuses_new_ones() {
    let scene = Scene::on(Redis::durable().await).with(&["--sessions-per-subject=2", "--session-rotation-grace=0"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let (first, second) = (calls.open("anna").await, calls.open("anna").await);
    let others = calls.open("berta").await;
    let new = calls.rotate(&first.token).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    // As if it had been used last an hour ago: its end is to be moved.
    let key = scene
        .keys()
        .session(SessionPartition::of(&ExternalId::parse("berta").unwrap()), &others.id);
    let mut seen = cmd("HINCRBY");
    seen.arg(&key).arg("seen").arg(-1_800_000);
    scene.redis.query::<i64>(&seen).await;
    let before = scene.redis.query::<i64>(cmd("PEXPIRETIME").arg(&key)).await;
    let set = |bytes: &'static str| cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
    scene.redis.query::<()>(&set("1")).await;

    let moved = calls.get(&others.token).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert!(ms(&moved.body, "expires_at") > before);
    assert_eq!(
        scene.redis.query::<i64>(cmd("PEXPIRETIME").arg(&key)).await,
        ms(&moved.body, "expires_at")
    );
    // The first use of a new token, after which a use of the old one counts as theft.
    assert_eq!(calls.get(&new).await.status, 200);
    // There is no memory for one more, and no existing session is ended for it.
    for subject in ["anna", "carla"] {
        let refused = calls.create(json!({ "subject": subject })).await;
        refused.assert_problem(503, &[]);
    }
    assert_eq!(calls.ids("anna").await, [first.id.clone(), second.id.clone()]);
    for (token, refused) in [
        (&second.token, calls.patch(&second.token, 1, json!({"a": 1})).await),
        (&second.token, calls.rotate(&second.token).await),
        (&second.token, calls.extend(&second.token, 60).await),
    ] {
        refused.assert_problem(503, &[]);
        assert_eq!(calls.get(token).await.status, 200);
    }
    assert_eq!(calls.sign_out(&second.token).await.status, 204);
    calls.get(&first.token).await.assert_problem(401, &[]);
    calls.get(&new).await.assert_problem(401, &[]);

    scene.redis.query::<()>(&set("0")).await;
    let opened = calls.open("anna").await;
    assert_eq!(calls.ids("anna").await, [opened.id]);
}

#[actix_web::test]
async fn a_frozen_redis_delays_calls_only_by_the_timeout() {
    let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open("anna").await.token;
    scene.redis.freeze();
    let asked = Instant::now();
    for answer in all(&calls, &token).await {
        answer.assert_problem(503, &[]);
    }
    // Each worker waits once or twice; the rest is what a busy machine may take.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    scene.redis.thaw();
    // The calls before it was noticed were sent and are carried out now, the sign-out perhaps among them; nothing is half done.
    let answer = eventually(SOON, "it answers", async || {
        let answer = calls.get(&token).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert!([200, 401].contains(&answer.status), "{answer:?}");
    assert_eq!(calls.create(json!({"subject": "anna"})).await.status, 201);
}
