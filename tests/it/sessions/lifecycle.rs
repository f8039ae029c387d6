//! A session from its creation to its end.

use super::{Calls, embedded, keys, ms, new, session_keys, settings};
use crate::support::{Redis, Scene, now_ms};
use fleetpulse::json::Object;
use fleetpulse::sessions::{SessionError, Sessions, Token};
use redis::cmd;
use serde_json::json;
use std::collections::HashMap;

#[actix_web::test]
async fn a_session_is_created_used_and_ended() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    let before = now_ms();
    let created = one
        .create(json!({
            "subject": "user-123", "role": "rider", "scopes": ["rides:book", "rides:see"],
            "device": {"name": "Anna's phone", "os": 17}, "data": {"cart": [1, 2.5, null], "id": "mine", "subject": "else"},
            "idle_ttl_s": 600, "absolute_ttl_s": 7200,
        }))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    // Clients cannot choose a token or an id.
    let chosen = json!({"subject": "user-123", "token": "chosen", "id": "chosen"});
    one.create(chosen).await.assert_problem(422, &["/id", "/token"]);
    let mut expected = created.body.clone();
    let token = expected.as_object_mut().unwrap().remove("token").unwrap();
    let token = token.as_str().unwrap();
    assert_eq!(
        (expected["subject"].as_str(), expected["role"].as_str()),
        (Some("user-123"), Some("rider"))
    );
    assert_eq!(expected["scopes"], json!(["rides:book", "rides:see"]));
    assert_eq!(expected["device"], json!({"name": "Anna's phone", "os": 17}));
    // The names of members of the data are not restricted.
    assert_eq!(
        expected["data"],
        json!({"cart": [1, 2.5, null], "id": "mine", "subject": "else"})
    );
    assert_eq!(
        (&expected["version"], &expected["idle_ttl_s"]),
        (&json!(1), &json!(600))
    );
    let at = ms(&expected, "created_at");
    assert!((before..=now_ms()).contains(&at), "{expected}");
    assert_eq!(ms(&expected, "last_seen_at"), at);
    assert_eq!(
        (ms(&expected, "expires_at"), ms(&expected, "absolute_expires_at")),
        (at + 600_000, at + 7_200_000)
    );

    for calls in [&one, &other] {
        let valid = calls.get(token).await;
        assert_eq!((valid.status, &valid.body), (200, &expected));
    }
    assert_eq!(other.sign_out(token).await.status, 204);
    for calls in [&one, &other] {
        calls.get(token).await.assert_problem(401, &[]);
        calls.patch(token, 1, json!({})).await.assert_problem(401, &[]);
        calls.rotate(token).await.assert_problem(401, &[]);
        calls.extend(token, 60).await.assert_problem(401, &[]);
        calls.sign_out(token).await.assert_problem(401, &[]);
    }
    assert!(session_keys(&scene).await.is_empty());
    assert!(one.ids("user-123").await.is_empty());
}

#[actix_web::test]
async fn omitted_members_have_defaults() {
    let scene = Scene::new()
        .await
        .with(&["--session-idle-ttl=50", "--session-absolute-ttl=20"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let body = calls
        .create(json!({"subject": "anna", "role": null, "data": null}))
        .await
        .body;
    assert_eq!((&body["data"], &body["scopes"]), (&json!({}), &json!([])));
    assert!(body.get("role").is_none() && body.get("device").is_none(), "{body}");
    assert_eq!(body["idle_ttl_s"], 50);
    // The session ends at the earlier of its two expiries.
    assert_eq!(ms(&body, "expires_at"), ms(&body, "created_at") + 20_000);
    assert_eq!(ms(&body, "absolute_expires_at"), ms(&body, "expires_at"));
}

#[actix_web::test]
async fn answers_with_tokens_or_sessions_are_no_store() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let created = api
        .request(reqwest::Method::POST, "/v1/sessions")
        .json(&json!({"subject": "anna"}));
    let created = created.send().await.unwrap();
    assert_eq!(created.headers()["cache-control"], "no-store");
    let listed = api.request(reqwest::Method::GET, "/v1/subjects/anna/sessions");
    let listed = listed.send().await.unwrap();
    assert_eq!(
        (listed.status().as_u16(), &listed.headers()["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let refused = api
        .request(reqwest::Method::GET, "/v1/sessions/current")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
}

#[actix_web::test]
async fn the_keys_are_as_documented_with_each_subject_in_one_slot() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls.open_as(json!({"subject": "anna", "idle_ttl_s": 100})).await;
    let mut keys = keys(&scene).await;
    keys.sort();
    let tag = format!("{{s:{}}}", &opened.token[4..6]);
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys[0].ends_with(&format!(":session:{tag}:{}", opened.id)), "{keys:?}");
    assert!(keys[1].ends_with(&format!(":sessions:{tag}:anna")), "{keys:?}");
    assert!(keys[2].ends_with(&format!(":sessions_open:{tag}")), "{keys:?}");
    assert!(keys[3].contains(&format!(":sessions_used:{tag}:")), "{keys:?}");
    let session: HashMap<String, String> = scene.redis.query(cmd("HGETALL").arg(&keys[0])).await;
    let ends: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&keys[0])).await;
    assert_eq!(session["ends"], ends.to_string());
    assert_eq!((&*session["subject"], &*session["data"]), ("anna", "{}"));
    let members: Vec<(String, i64)> = scene
        .redis
        .query(cmd("ZRANGE").arg(&keys[1]).arg(0).arg(-1).arg("WITHSCORES"))
        .await;
    assert_eq!(members, [(opened.id.clone(), session["absolute"].parse().unwrap())]);
    let open: Vec<(String, i64)> = scene
        .redis
        .query(cmd("ZRANGE").arg(&keys[2]).arg(0).arg(-1).arg("WITHSCORES"))
        .await;
    assert_eq!(open, [(opened.id, ends)]);
    let index_ends: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&keys[1])).await;
    assert_eq!(index_ends, members[0].1);
}

/// Uses a session in every way that writes, without a pause, until that is refused.
async fn use_until_it_ends(sessions: &Sessions, first: Token) -> SessionError {
    let mut token = first;
    loop {
        let rotated = match sessions.rotate(&token).await {
            Ok((next, _)) => next,
            Err(refused) => return refused,
        };
        // The first use of a token is written.
        let session = match sessions.validate(&rotated).await {
            Ok(session) => session,
            Err(refused) => return refused,
        };
        if let Err(refused) = sessions.merge(&rotated, session.version, Object::default()).await {
            return refused;
        }
        token = rotated;
    }
}

#[actix_web::test]
async fn a_use_in_the_last_millisecond_of_a_session_leaves_no_key() {
    let scene = Scene::on(Redis::durable().await);
    let mut none = settings();
    none.rotation_grace_ms = 0;
    let sessions = embedded(&scene, none).await;
    for n in 0..100 {
        let (token, _) = sessions.create(&new("anna", 4, 4)).await.unwrap();
        let refused = use_until_it_ends(&sessions, token).await;
        assert!(matches!(refused, SessionError::Unknown), "{n}: {refused}");
        for key in session_keys(&scene).await {
            let left_ms: i64 = scene.redis.query(cmd("PTTL").arg(&key)).await;
            assert_ne!(left_ms, -1, "{n}: {key} never ends");
        }
    }
}
