//! All sessions of a subject: listed, and ended.

use super::{Calls, embedded, keys, new, session_keys, settings};
use crate::support::Scene;
use fleetpulse::ids::ExternalId;
use fleetpulse::sessions::SessionPartition;
use redis::cmd;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

#[actix_web::test]
async fn the_list_of_a_subject_has_devices_and_no_tokens() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    assert_eq!(calls.list("anna").await.body, json!({"sessions": []}));
    let phone = json!({"subject": "anna", "role": "rider", "scopes": ["a"], "device": {"name": "phone"}, "data": {"secret": 1}});
    let opened = calls.open_as(phone).await;
    calls.open("berta").await;
    let second = calls.open("anna").await;
    let listed = calls.list("anna").await;
    let sessions = listed.body["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let mut expected = calls.get(&opened.token).await.body;
    for hidden in ["subject", "data", "version", "idle_ttl_s"] {
        expected.as_object_mut().unwrap().remove(hidden);
    }
    assert_eq!(sessions[0], expected);
    assert_eq!(sessions[1]["id"], second.id);
    assert!(!listed.body.to_string().contains("fps_"));
}

#[actix_web::test]
async fn one_session_of_a_subject_is_ended() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let (first, second) = (calls.open("anna").await, calls.open("anna").await);
    let berta = calls.open("berta").await;
    // A session of another subject cannot be ended, nor can a missing one.
    for id in [&berta.id, "0123", &"0".repeat(32), &first.id.to_uppercase()] {
        calls.end("anna", &format!("/{id}")).await.assert_problem(404, &[]);
    }
    assert_eq!(calls.end("anna", &format!("/{}", first.id)).await.status, 204);
    calls
        .end("anna", &format!("/{}", first.id))
        .await
        .assert_problem(404, &[]);
    calls.get(&first.token).await.assert_problem(401, &[]);
    assert_eq!(calls.get(&second.token).await.status, 200);
    assert_eq!(calls.get(&berta.token).await.status, 200);
    assert_eq!(calls.ids("anna").await, [second.id]);
}

#[actix_web::test]
async fn subjects_of_the_same_partition_are_separate() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let anna = calls.open("anna").await;
    let partition = |name: &str| SessionPartition::of(&ExternalId::parse(name).unwrap());
    let mut names = (0..100_000).map(|n| format!("user-{n}"));
    let neighbour = names.find(|name| partition(name) == partition("anna")).unwrap();
    calls
        .end(&neighbour, &format!("/{}", anna.id))
        .await
        .assert_problem(404, &[]);
    assert_eq!(calls.end(&neighbour, "").await.body, json!({"ended": 0}));
    assert_eq!(calls.get(&anna.token).await.status, 200);
}

#[actix_web::test]
async fn all_sessions_except_one_are_ended() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    let mut opened = Vec::new();
    for n in 0..20 {
        opened.push(if n % 2 == 0 { &one } else { &other }.open("anna").await);
    }
    let here = opened.remove(7);
    let ended = other.end("anna", &format!("?except={}", here.id)).await;
    assert_eq!((ended.status, ended.body), (200, json!({"ended": 19})));
    for session in &opened {
        one.get(&session.token).await.assert_problem(401, &[]);
    }
    assert_eq!(one.get(&here.token).await.status, 200);
    assert_eq!(one.ids("anna").await, *std::slice::from_ref(&here.id));
    // An invalid id is not treated as absent, which would end this session as well.
    other.end("anna", "?except=").await.assert_problem(422, &["/except"]);
    other
        .end("anna", "?except=mine")
        .await
        .assert_problem(422, &["/except"]);
    other
        .end("anna", &format!("?exept={}", here.id))
        .await
        .assert_problem(400, &[]);
    assert_eq!(one.get(&here.token).await.status, 200);
    assert_eq!(other.end("anna", "").await.body, json!({"ended": 1}));
    assert_eq!(other.end("anna", "").await.body, json!({"ended": 0}));
    one.get(&here.token).await.assert_problem(401, &[]);
    assert!(session_keys(&scene).await.is_empty());
}

#[actix_web::test]
async fn reading_the_index_cleans_it() {
    let scene = Scene::new().await;
    let sessions = embedded(&scene, settings()).await;
    let anna = ExternalId::parse("anna").unwrap();
    let (_, kept) = sessions.create(&new("anna", 50_000, 50_000)).await.unwrap();
    // One reaches its absolute expiry, one its idle expiry.
    sessions.create(&new("anna", 30, 30)).await.unwrap();
    sessions.create(&new("anna", 30, 50_000)).await.unwrap();
    let count = async || -> u64 {
        scene
            .redis
            .query(cmd("ZCARD").arg(scene.keys().sessions_of(&anna)))
            .await
    };
    assert_eq!(count().await, 3);
    sleep(Duration::from_millis(31)).await;
    let listed = sessions.list(&anna).await.unwrap();
    assert_eq!(listed.iter().map(|session| &session.id).collect::<Vec<_>>(), [&kept.id]);
    assert_eq!(count().await, 1);
    assert!(sessions.end(&anna, &kept.id).await.unwrap());
    // The index that counts the sessions is cleaned when they are counted.
    let counts = |key: &String| key.contains(":sessions_used:") || key.contains(":sessions_open:");
    assert!(keys(&scene).await.iter().all(counts));
}
