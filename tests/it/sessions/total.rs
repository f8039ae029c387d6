//! The limit on the number of all sessions.

use super::*;
use crate::support::eventually;
use fleetpulse::sessions::SessionPartition;
use futures_util::future::join_all;
use redis::cmd;

/// While the limit is reached the sessions are counted every five seconds.
const SOON: Duration = Duration::from_secs(40);

/// Waits until a session can be created again.
async fn opens(calls: &Calls, session: Value) {
    eventually(SOON, "there is room for a session", async || {
        (calls.create(session.clone()).await.status == 201).then_some(())
    })
    .await;
}

async fn is_refused(calls: &Calls, subject: &str) {
    let refused = calls.create(json!({ "subject": subject })).await;
    refused.assert_problem(429, &[]);
    assert_eq!(refused.body["type"], "urn:fleetpulse:problem:too_many_sessions");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("SESSIONS_MAX"),
        "{refused:?}"
    );
    assert!(refused.retry_after.is_some(), "{refused:?}");
}

#[actix_web::test]
async fn the_number_of_sessions_is_limited() {
    let scene = Scene::new().await.with(&["--sessions-max=5"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let creations = (0..30).map(|n| calls.create(json!({"subject": format!("s-{n}")})));
    let created = join_all(creations).await;
    let created: Vec<_> = created.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 5);
    let stored = scene.stored("session").await;
    is_refused(&calls, "new").await;
    assert_eq!(scene.stored("session").await, stored, "a refused call changes nothing");
    let token = created[0].body["token"].as_str().unwrap();
    assert_eq!(calls.get(token).await.status, 200, "existing sessions continue");

    // Sessions that have ended free space: signed out, ended for the subject, or expired.
    assert_eq!(calls.sign_out(token).await.status, 204);
    opens(&calls, json!({"subject": "brief", "idle_ttl_s": 1})).await;
    opens(&calls, json!({"subject": "next"})).await;
    assert_eq!(calls.end("next", "").await.status, 200);
    opens(&calls, json!({"subject": "last"})).await;
    is_refused(&calls, "new").await;
}

#[actix_web::test]
async fn sessions_of_all_instances_and_with_moved_ends_are_counted() {
    let scene = Scene::new().await.with(&["--sessions-max=3"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(one.open("anna").await);
    }
    eventually(SOON, "the other instance has counted them", async || {
        let answer = other.create(json!({"subject": "berta"})).await;
        if answer.status == 201 {
            // Too early: it is not to count.
            other.sign_out(answer.body["token"].as_str().unwrap()).await;
        }
        (answer.status == 429).then_some(())
    })
    .await;
    // As if it had been used since its first end was noted.
    let partition = SessionPartition::of(&ExternalId::parse("anna").unwrap());
    let open = scene.keys().sessions_open(partition);
    let id = &opened[0].id;
    let mut past = cmd("ZADD");
    scene.redis.query::<()>(past.arg(&open).arg("XX").arg(1).arg(id)).await;
    let session = scene.keys().session(partition, id);
    let ends = scene.redis.query::<i64>(cmd("PEXPIRETIME").arg(session)).await;
    eventually(SOON, "its end is noted", async || {
        let noted = scene.redis.query::<i64>(cmd("ZSCORE").arg(&open).arg(id)).await;
        (noted == ends).then_some(())
    })
    .await;
    is_refused(&one, "new").await;
}
