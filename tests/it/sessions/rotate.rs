//! Rotation of tokens, and the state of the replaced ones.

use super::{Calls, embedded, ms, new, session_keys, settings};
use crate::support::{Document, Redis, Scene, ServiceProcess, eventually};
use fleetpulse::json::Object;
use fleetpulse::sessions::SessionError;
use futures_util::future::{join, join_all};
use redis::cmd;
use serde_json::json;
use std::process::Stdio;
use std::sync::Arc;
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
    // Within the grace period both tokens are valid, and changes by one are visible by the other.
    assert_eq!(calls.patch(&opened.token, 1, json!({"b": 2})).await.status, 200);
    let seen = calls.get(new).await.body;
    assert_eq!(
        (&seen["data"], seen["id"].as_str()),
        (&json!({"a": 1, "b": 2}), Some(&*opened.id))
    );
    assert_eq!(calls.ids("anna").await, [opened.id]);
    // If it is ended by one, it has ended for the other.
    assert_eq!(calls.sign_out(&opened.token).await.status, 204);
    calls.get(new).await.assert_problem(401, &[]);
}

#[actix_web::test]
async fn a_replaced_token_used_after_its_grace_ends_the_session() {
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
            "merge" => sessions.merge(stolen, 1, Object::default()).await.map(drop),
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
async fn a_client_that_lost_the_answer_may_rotate_again_within_the_grace() {
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
    // The grace period of the first token was not extended by its second rotation; its use alone reveals the theft.
    assert!(sessions.validate(&lost).await.is_ok());
    assert!(sessions.validate(&second).await.is_ok());
    assert!(matches!(sessions.validate(&first).await, Err(SessionError::Reused)));
    assert!(matches!(sessions.validate(&second).await, Err(SessionError::Unknown)));
}

#[actix_web::test]
async fn a_rotation_never_moves_the_end_back() {
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
async fn old_tokens_are_recognised_after_any_number_of_rotations() {
    let scene = Scene::new().await;
    let mut none = settings();
    none.rotation_grace_ms = 0;
    let sessions = embedded(&scene, none).await;
    for old in [0, 1, 150] {
        let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
        let mut tokens = vec![first];
        // The thief's token, in case the owner's is treated as unknown.
        for n in 0..300 {
            tokens.push(sessions.rotate(&tokens[n]).await.unwrap().0);
        }
        let last = &tokens[300];
        assert!(sessions.validate(last).await.is_ok());
        let key = scene.keys().session(last.partition(), last.id());
        let replaced: String = scene.redis.query(cmd("HGET").arg(&key).arg("replaced")).await;
        assert_eq!(replaced.matches(',').count(), 1, "{replaced}");
        assert_eq!(scene.redis.query::<u64>(cmd("HLEN").arg(&key)).await, 14);
        assert!(matches!(
            sessions.validate(&tokens[old]).await,
            Err(SessionError::Reused)
        ));
        assert!(matches!(sessions.validate(last).await, Err(SessionError::Unknown)));
    }
}

#[actix_web::test]
async fn the_number_of_accepted_replaced_tokens_is_limited() {
    let scene = Scene::new().await;
    let mut long = settings();
    long.rotation_grace_ms = 3_000;
    let sessions = embedded(&scene, long).await;
    let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
    let mut tokens = vec![first];
    for n in 0..8 {
        tokens.push(sessions.rotate(&tokens[n]).await.unwrap().0);
    }
    let Err(SessionError::TooManyRotations { after }) = sessions.rotate(&tokens[8]).await else {
        panic!("a ninth is accepted");
    };
    for token in &tokens {
        assert!(sessions.validate(token).await.is_ok());
    }
    sleep(after).await;
    assert!(sessions.rotate(&tokens[8]).await.is_ok());
    assert!(matches!(sessions.validate(&tokens[0]).await, Err(SessionError::Reused)));
}

#[actix_web::test]
async fn too_many_rotations_are_a_429_with_retry_after() {
    let scene = Scene::new().await.with(&["--session-rotation-grace=60000"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let mut token = calls.open("anna").await.token;
    for _ in 0..8 {
        calls.rotate(&token).await.body["token"]
            .as_str()
            .unwrap()
            .clone_into(&mut token);
    }
    let refused = calls.rotate(&token).await;
    refused.assert_problem(429, &[]);
    let document = Document::of(&calls.0).await;
    document.has("post /v1/sessions/current/rotate", 429, &refused.body);
    let seconds: u64 = refused.retry_after.unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(calls.get(&token).await.status, 200);
}

#[actix_web::test]
async fn a_client_that_never_got_the_new_token_continues_with_the_old_one() {
    let scene = Scene::new().await;
    let mut short = settings();
    short.rotation_grace_ms = 50;
    let sessions = embedded(&scene, short).await;
    let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
    // Executed; the answers are lost, and the client does not retry in time.
    let (lost, _) = sessions.rotate(&first).await.unwrap();
    sleep(Duration::from_millis(60)).await;
    assert!(sessions.validate(&first).await.is_ok());
    sessions.rotate(&first).await.unwrap();
    sleep(Duration::from_millis(60)).await;
    let (second, _) = sessions.rotate(&first).await.unwrap();
    assert!(sessions.merge(&first, 1, Object::default()).await.is_ok());
    assert!(sessions.validate(&second).await.is_ok());
    // After the first use of the new token the old one is accepted only in its grace period, and counts as stolen after that.
    sleep(Duration::from_millis(60)).await;
    assert!(sessions.validate(&second).await.is_ok());
    assert!(matches!(sessions.validate(&first).await, Err(SessionError::Reused)));
    assert!(matches!(sessions.validate(&lost).await, Err(SessionError::Unknown)));
}

#[actix_web::test]
async fn the_use_of_a_lost_token_is_detected() {
    let scene = Scene::new().await;
    let mut none = settings();
    none.rotation_grace_ms = 0;
    let sessions = embedded(&scene, none).await;
    let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
    let (lost, _) = sessions.rotate(&first).await.unwrap();
    let (second, _) = sessions.rotate(&first).await.unwrap();
    assert!(sessions.validate(&second).await.is_ok());
    assert!(matches!(sessions.validate(&lost).await, Err(SessionError::Reused)));
    assert!(matches!(sessions.validate(&second).await, Err(SessionError::Unknown)));
}

#[actix_web::test]
async fn a_token_with_a_wrong_secret_ends_its_session_and_one_with_a_wrong_family_does_not() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let token = calls.open("anna").await.token;
    let flipped = |at: usize| {
        let digit = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
        format!("{}{digit}{}", &token[..at], &token[at + 1..])
    };
    // Without the whole family secret there is no proof that the sender had a token of the session.
    let (in_family, at_the_end) = (flipped(token.len() - 65), flipped(token.len() - 1));
    assert_eq!(calls.get(&in_family).await.status, 401);
    assert_eq!(calls.get(&token).await.status, 200);
    // It cannot be distinguished from a token that was replaced long ago.
    assert_eq!(calls.get(&at_the_end).await.status, 401);
    assert_eq!(calls.get(&token).await.status, 401);
}

#[actix_web::test]
async fn a_token_whose_successor_is_in_use_cannot_be_rotated() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let first = calls.open("anna").await.token;
    let second = calls.rotate(&first).await.body["token"].as_str().unwrap().to_owned();
    assert_eq!(calls.get(&second).await.status, 200);
    let refused = calls.rotate(&first).await;
    refused.assert_problem(409, &[]);
    assert_eq!(refused.body["type"], "urn:fleetpulse:problem:token_superseded");
    for token in [&first, &second] {
        assert_eq!(calls.get(token).await.status, 200);
    }
    assert_eq!(calls.rotate(&second).await.status, 200);
}

#[actix_web::test]
async fn after_two_concurrent_rotations_either_token_is_valid() {
    let scene = Scene::new().await;
    let mut short = settings();
    short.rotation_grace_ms = 200;
    let (one, other) = (embedded(&scene, short.clone()).await, embedded(&scene, short).await);
    let round = async |n: usize| {
        let subject = format!("user-{n}");
        let (first, _) = one.create(&new(&subject, 60_000, 60_000)).await.unwrap();
        let (a, b) = join(one.rotate(&first), other.rotate(&first)).await;
        let ((a, _), (b, _)) = (a.unwrap(), b.unwrap());
        let (kept, lost) = if n.is_multiple_of(2) { (a, b) } else { (b, a) };
        assert!(one.validate(&kept).await.is_ok());
        sleep(Duration::from_millis(210)).await;
        // The later one, because the other was not used.
        assert!(other.validate(&kept).await.is_ok());
        let (next, _) = other.rotate(&kept).await.unwrap();
        assert!(one.validate(&next).await.is_ok());
        sleep(Duration::from_millis(210)).await;
        assert!(matches!(one.validate(&lost).await, Err(SessionError::Reused)));
        assert!(matches!(one.validate(&next).await, Err(SessionError::Unknown)));
    };
    join_all((0..16).map(round)).await;
}

#[actix_web::test]
async fn a_concurrent_rotation_does_not_undo_a_sign_out() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    let mut rotated_first = 0;
    for _ in 0..60 {
        let token = one.open("anna").await.token;
        let (rotated, over) = join(one.rotate(&token), other.sign_out(&token)).await;
        assert_eq!(over.status, 204, "{over:?}");
        if rotated.status == 200 {
            rotated_first += 1;
            let new = rotated.body["token"].as_str().unwrap();
            one.get(new).await.assert_problem(401, &[]);
        } else {
            rotated.assert_problem(401, &[]);
        }
        one.get(&token).await.assert_problem(401, &[]);
        assert!(session_keys(&scene).await.is_empty());
    }
    assert!(rotated_first > 0);
}

/// Returns how many scripts a server has run.
async fn scripts_run(redis: &Redis) -> usize {
    let stats: String = redis.query(cmd("INFO").arg("commandstats")).await;
    let calls = stats.split("cmdstat_evalsha:calls=").nth(1).unwrap();
    calls.split(',').next().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_change_is_refused_before_it_starts_or_not_at_all() {
    let scene = Scene::on(Arc::new(Redis::durable().await));
    let mut short = settings();
    short.rotation_grace_ms = 20;
    let sessions = embedded(&scene, short).await;
    // The first round loads the scripts into Redis.
    for n in 0..16 {
        let before = if n == 0 { 0 } else { scripts_run(&scene.redis).await };
        let (first, _) = sessions.create(&new("anna", 60_000, 60_000)).await.unwrap();
        let (second, _) = sessions.rotate(&first).await.unwrap();
        assert!(sessions.validate(&second).await.is_ok());
        let mut version = 1;
        let refused = loop {
            match sessions.merge(&first, version, Object::default()).await {
                Ok(_) => version += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, SessionError::Reused), "{refused:?}");
        // Each change is a read and a write, so the last call was a read only: the grace period did not end for
        // it in between. In addition there are the three calls above, and the index that is cleaned after a theft.
        let changes = usize::try_from(version - 1).unwrap();
        let run = scripts_run(&scene.redis).await - before;
        assert!(n == 0 || run == 3 + 2 * changes + 1 + 1, "{run} for {changes}");
    }
}

#[actix_web::test]
async fn a_theft_is_counted_and_logged_without_the_token() {
    let scene = Scene::new().await.with(&["--session-rotation-grace=0"]);
    let mut command = ServiceProcess::command(&scene.args());
    command.env("RUST_LOG", "debug").stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    let calls = Calls(process.drivers());
    calls.0.ready().await;
    let opened = calls.open("subject-7").await;
    let new = calls.rotate(&opened.token).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(calls.get(&new).await.status, 200);
    calls.get(&opened.token).await.assert_problem(401, &[]);
    calls.get(&new).await.assert_problem(401, &[]);
    let log = eventually(SOON, "it is logged", async || {
        let said = process.output();
        said.contains("a replaced token was used again").then_some(said)
    })
    .await;
    assert!(log.contains(&opened.id), "the log names the session: {log}");
    for private in [&opened.token[38..70], &opened.token[70..], &new[70..], "subject-7"] {
        assert!(!log.contains(private), "{private} in {log}");
    }
    let metrics = calls.0.metrics().await;
    for line in [
        "fleetpulse_sessions_stolen_total 1",
        "fleetpulse_session_validations_total{outcome=\"reused\"} 1",
        "fleetpulse_session_validations_total{outcome=\"unknown\"} 1",
        "fleetpulse_sessions_created_total 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
