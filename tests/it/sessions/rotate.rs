//! A new token for an old one, and what the old one is then.

use super::{Calls, embedded, ms, new, session_keys, settings};
use crate::support::{Scene, ServiceProcess, eventually};
use fleetpulse::sessions::SessionError;
use reqwest::Method;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(10);

#[actix_web::test]
async fn a_rotation_gives_a_new_token_to_the_same_session() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls
        .open_as(json!({"subject": "anna", "role": "rider", "data": {"a": 1}}))
        .await;
    let rotated = calls.rotate(&opened.token).await;
    assert_eq!((rotated.status, rotated.body["id"].as_str()), (200, Some(&*opened.id)));
    assert_eq!(rotated.body["data"], json!({"a": 1}));
    let new = rotated.body["token"].as_str().unwrap();
    assert_ne!(new, opened.token);
    // Within the grace both open it, and what one changes the other sees.
    assert_eq!(calls.patch(&opened.token, 1, json!({"b": 2})).await.status, 200);
    let seen = calls.get(new).await.body;
    assert_eq!(
        (&seen["data"], seen["id"].as_str()),
        (&json!({"a": 1, "b": 2}), Some(&*opened.id))
    );
    assert_eq!(calls.ids("anna").await, [opened.id]);
    // Ended by one it is ended for the other.
    assert_eq!(calls.sign_out(&opened.token).await.status, 204);
    calls.get(new).await.assert_problem(401, &[]);
}

#[actix_web::test]
async fn a_replaced_token_used_after_its_grace_ends_the_whole_family() {
    let scene = Scene::new().await;
    let mut short = settings();
    short.rotation_grace_ms = 100;
    let sessions = embedded(&scene, short).await;
    // The thief uses the first, a middle one, and in every call that takes a token.
    for (used, call) in [
        (0, "validate"),
        (1, "validate"),
        (0, "rotate"),
        (0, "merge"),
        (0, "extend"),
        (0, "sign out"),
    ] {
        let (first, session) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
        let (second, _) = sessions.rotate(&first).await.unwrap();
        let (third, _) = sessions.rotate(&second).await.unwrap();
        let tokens = [first, second, third];
        for token in &tokens {
            assert_eq!(sessions.validate(token).await.unwrap().id, session.id);
        }
        sleep(Duration::from_millis(101)).await;
        assert!(sessions.validate(&tokens[2]).await.is_ok());
        let stolen = &tokens[used];
        let refused = match call {
            "validate" => sessions.validate(stolen).await.map(drop),
            "rotate" => sessions.rotate(stolen).await.map(drop),
            "merge" => sessions.merge(stolen, 1, serde_json::Map::new()).await.map(drop),
            "extend" => sessions.extend(stolen, Duration::from_secs(1)).await.map(drop),
            _ => sessions.sign_out(stolen).await,
        };
        assert!(matches!(refused, Err(SessionError::Reused)), "{call}: {refused:?}");
        for token in &tokens {
            assert!(
                matches!(sessions.validate(token).await, Err(SessionError::Unknown)),
                "{call}"
            );
        }
        assert!(sessions.list(&session.subject).await.unwrap().is_empty());
        assert!(session_keys(&scene).await.is_empty());
    }
}

#[actix_web::test]
async fn whoever_lost_the_answer_may_rotate_again_within_the_grace() {
    let scene = Scene::new().await;
    let mut short = settings();
    short.rotation_grace_ms = 300;
    let sessions = embedded(&scene, short).await;
    let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
    let (lost, _) = sessions.rotate(&first).await.unwrap();
    sleep(Duration::from_millis(150)).await;
    let (second, _) = sessions.rotate(&first).await.unwrap();
    assert!(sessions.validate(&lost).await.is_ok());
    sleep(Duration::from_millis(160)).await;
    // The time of the first was not prolonged by its second rotation; it alone would give the thief away.
    assert!(sessions.validate(&lost).await.is_ok());
    assert!(sessions.validate(&second).await.is_ok());
    assert!(matches!(sessions.validate(&first).await, Err(SessionError::Reused)));
    assert!(matches!(sessions.validate(&second).await, Err(SessionError::Unknown)));
}

#[actix_web::test]
async fn a_rotation_moves_the_end_forward_only() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open_as(json!({"subject": "anna", "idle_ttl_s": 60})).await.token;
    let extended = calls.extend(&token, 600).await.body;
    let rotated = calls.rotate(&token).await.body;
    assert_eq!(ms(&rotated, "expires_at"), ms(&extended, "expires_at"));
    assert_eq!(
        ms(&rotated, "absolute_expires_at"),
        ms(&extended, "absolute_expires_at")
    );
}

#[actix_web::test]
async fn a_session_remembers_its_last_256_tokens_and_no_more() {
    let scene = Scene::new().await;
    let mut none = settings();
    none.rotation_grace_ms = 0;
    let sessions = embedded(&scene, none).await;
    let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
    let (second, _) = sessions.rotate(&first).await.unwrap();
    let mut last = second.clone();
    for _ in 0..256 {
        last = sessions.rotate(&last).await.unwrap().0;
    }
    // Forgotten: refused like one that never was.
    assert!(matches!(sessions.validate(&first).await, Err(SessionError::Unknown)));
    assert!(sessions.validate(&last).await.is_ok());
    let key = scene.keys().session(last.partition(), last.id());
    let fields: u64 = scene.redis.query(redis::cmd("HLEN").arg(key)).await;
    assert_eq!(fields, 10 + 1 + 2 * 256);
    assert!(matches!(sessions.validate(&second).await, Err(SessionError::Reused)));
}

#[actix_web::test]
async fn a_theft_is_counted_and_logged_without_the_token() {
    let scene = Scene::new().await.with(&["--session-rotation-grace=0"]);
    let mut command = ServiceProcess::command(&scene.args());
    command.env("RUST_LOG", "debug").stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    let calls = Calls(process.drivers());
    calls.0.ready().await;
    let opened = calls.open("somebody").await;
    let new = calls.rotate(&opened.token).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    calls.get(&opened.token).await.assert_problem(401, &[]);
    calls.get(&new).await.assert_problem(401, &[]);
    let log = eventually(SOON, "it is told", async || {
        let said = process.said();
        said.contains("a replaced token was used again").then_some(said)
    })
    .await;
    assert!(log.contains(&opened.id), "which session it was is told: {log}");
    for private in [&opened.token[38..], &new[38..], "somebody"] {
        assert!(!log.contains(private), "{private} in {log}");
    }
    let metrics = calls
        .0
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "fleetpulse_sessions_stolen_total 1",
        "fleetpulse_session_validations_total{outcome=\"reused\"} 1",
        "fleetpulse_session_validations_total{outcome=\"unknown\"} 1",
        "fleetpulse_sessions_created_total 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
