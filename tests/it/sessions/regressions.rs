//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::{Calls, keys, ms, session_keys};
use crate::support::{Redis, Scene};
use futures_util::StreamExt;
use futures_util::future::join;
use redis::{Client, cmd};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Makes every call once or more, with success and with an error. Returns every token that was issued.
async fn everything(calls: &Calls) -> Vec<String> {
    let mut tokens = Vec::new();
    for n in 0..4 {
        let opened = calls.open_as(json!({"subject": "user-123", "data": {"n": n}})).await;
        let rotated = calls.rotate(&opened.token).await.body["token"]
            .as_str()
            .unwrap()
            .to_owned();
        for token in [&opened.token, &rotated] {
            assert_eq!(calls.get(token).await.status, 200);
        }
        assert_eq!(calls.patch(&rotated, 1, json!({"a": 1})).await.status, 200);
        assert_eq!(calls.patch(&rotated, 1, json!({"a": 1})).await.status, 409);
        assert_eq!(calls.extend(&rotated, 60).await.status, 200);
        assert_eq!(calls.list("user-123").await.status, 200);
        match n {
            0 => assert_eq!(calls.sign_out(&rotated).await.status, 204),
            1 => assert_eq!(calls.end("user-123", &format!("/{}", opened.id)).await.status, 204),
            2 => assert_eq!(calls.end("user-123", "").await.status, 200),
            _ => {}
        }
        tokens.extend([opened.token, rotated]);
    }
    tokens
}

#[actix_web::test]
async fn guessable_ids_with_the_user_id() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let (mut secrets, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..64 {
        let opened = calls.open("user-123").await;
        assert_eq!((opened.token.len(), opened.id.len()), (134, 32));
        assert!(
            !opened.token.contains("user") && !opened.token.contains("123-"),
            "{opened:?}"
        );
        secrets.insert(opened.token[38..].to_owned());
        ids.insert(opened.id);
    }
    assert_eq!((secrets.len(), ids.len()), (64, 64));
    // 128 bits of the session's and 256 of the token's: every digit at every place is as likely, so none stays the same, and about half of all bits are set.
    for place in 0..96 {
        let digits: BTreeSet<_> = secrets.iter().map(|secret| secret.as_bytes()[place]).collect();
        assert!(digits.len() > 8, "{place}: {digits:?}");
    }
    let bits: u32 = secrets
        .iter()
        .flat_map(|secret| secret.chars())
        .map(|digit| digit.to_digit(16).unwrap().count_ones())
        .sum();
    assert!((11_700..12_900).contains(&bits), "{bits} of 24576");
}

#[actix_web::test]
async fn a_crash_between_write_and_expiry_left_an_immortal_session() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    everything(&Calls::of(&service)).await;
    let keys = keys(&scene).await;
    assert!(keys.len() >= 3, "{keys:?}");
    for key in keys {
        let left_ms: i64 = scene.redis.query(cmd("PTTL").arg(&key)).await;
        assert!(left_ms > 0, "{key}: {left_ms}");
    }
}

#[actix_web::test]
async fn reads_and_updates_revived_a_destroyed_session() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    for end in ["signed out", "ended", "vanished"] {
        let opened = calls.open("anna").await;
        match end {
            "signed out" => assert_eq!(calls.sign_out(&opened.token).await.status, 204),
            "ended" => assert_eq!(calls.end("anna", &format!("/{}", opened.id)).await.status, 204),
            _ => scene.redis.query(cmd("DEL").arg(&session_keys(&scene).await[0])).await,
        }
        for _ in 0..2 {
            calls.get(&opened.token).await.assert_problem(401, &[]);
            calls
                .patch(&opened.token, 1, json!({"a": 1}))
                .await
                .assert_problem(401, &[]);
            calls.extend(&opened.token, 60).await.assert_problem(401, &[]);
            calls.rotate(&opened.token).await.assert_problem(401, &[]);
        }
        assert!(session_keys(&scene).await.is_empty(), "{end}");
        assert!(calls.ids("anna").await.is_empty(), "{end}");
    }
}

#[actix_web::test]
async fn concurrent_updates_lost_writes() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    for n in 0..20 {
        let token = one.open("anna").await.token;
        let (a, b) = join(
            one.patch(&token, 1, json!({"a": n})),
            other.patch(&token, 1, json!({"b": n})),
        )
        .await;
        let statuses = BTreeSet::from([a.status, b.status]);
        assert_eq!(statuses, BTreeSet::from([200, 409]), "{a:?} {b:?}");
        let kept = if a.status == 200 {
            json!({"a": n})
        } else {
            json!({"b": n})
        };
        assert_eq!(one.get(&token).await.body["data"], kept);
    }
}

#[actix_web::test]
async fn an_extension_by_an_hour_shortened_a_session_of_a_day() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let day = json!({"subject": "anna", "idle_ttl_s": 86_400, "absolute_ttl_s": 86_400});
    let opened = calls.create(day).await.body;
    let extended = calls.extend(opened["token"].as_str().unwrap(), 3_600).await.body;
    for end in ["expires_at", "absolute_expires_at"] {
        assert_eq!(ms(&extended, end), ms(&opened, "created_at") + 25 * 3_600_000, "{end}");
    }
}

#[actix_web::test]
async fn the_whole_keyspace_was_scanned() {
    let redis = Arc::new(Redis::durable().await);
    let scene = Scene::on(Arc::clone(&redis));
    let service = scene.start().await;
    everything(&Calls::of(&service)).await;
    let commands: String = redis.query(cmd("INFO").arg("commandstats")).await;
    for walk in ["cmdstat_keys:", "cmdstat_scan:", "cmdstat_randomkey:"] {
        assert!(!commands.contains(walk), "{commands}");
    }
}

#[actix_web::test]
async fn a_deletion_by_pattern_never_matched() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    // With those characters of ids that have a meaning in a pattern.
    for subject in ["user-123", "a.b_c:d@e", "session", "s:00"] {
        let first = calls.open(subject).await;
        let second = calls.open(subject).await;
        assert_eq!(calls.end(subject, "").await.body, json!({"ended": 2}), "{subject}");
        for token in [first.token, second.token] {
            calls.get(&token).await.assert_problem(401, &[]);
        }
    }
    assert!(session_keys(&scene).await.is_empty());
}

#[actix_web::test]
async fn raw_tokens_at_rest() {
    let redis = Arc::new(Redis::durable().await);
    let scene = Scene::on(Arc::clone(&redis));
    let service = scene.start().await;
    // All commands that Redis receives from now on.
    let monitor = Client::open(redis.url()).unwrap().get_async_monitor().await.unwrap();
    let mut commands = monitor.into_on_message::<String>();
    let tokens = everything(&Calls::of(&service)).await;
    redis.query::<()>(cmd("SET").arg("the").arg("end")).await;
    let (mut received, mut scripts) = (String::new(), 0);
    while !received.contains("\"SET\" \"the\" \"end\"") {
        let line = commands.next().await.unwrap();
        scripts += usize::from(line.contains("EVAL"));
        received.push_str(&line);
    }
    assert!(scripts > 30, "{scripts}");
    for token in tokens {
        assert!(received.contains(&token[6..38]), "the session's id is received");
        for secret in [&token[38..70], &token[70..]] {
            assert!(!received.contains(secret), "its secret is received as well");
        }
    }
}

#[actix_web::test]
async fn a_sign_out_was_undone_by_a_concurrent_save() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    for n in 0..40 {
        let opened = one.open("anna").await;
        let token = &opened.token;
        let saving = async {
            let mut version = 1;
            // Saves until the session no longer exists.
            loop {
                let saved = one.patch(token, version, json!({"n": n})).await;
                match saved.status {
                    200 => version += 1,
                    401 => return,
                    _ => panic!("{saved:?}"),
                }
            }
        };
        let ending = async {
            let ended = match n % 3 {
                0 => other.sign_out(token).await,
                1 => other.end("anna", "").await,
                _ => other.end("anna", &format!("/{}", opened.id)).await,
            };
            assert!(ended.status < 300, "{ended:?}");
            other.get(token).await.assert_problem(401, &[]);
        };
        join(saving, ending).await;
        assert!(session_keys(&scene).await.is_empty());
    }
}
