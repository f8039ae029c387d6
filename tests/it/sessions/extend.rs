//! Extension of a session.

use super::{Calls, embedded, ms, new, settings};
use crate::support::Scene;
use fleetpulse::ids::ExternalId;
use redis::cmd;
use serde_json::json;
use std::time::Duration;

#[actix_web::test]
async fn both_ends_move_and_so_does_the_index() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls
        .open_as(json!({"subject": "anna", "idle_ttl_s": 600, "absolute_ttl_s": 3600}))
        .await;
    let before = calls.get(&opened.token).await.body;
    let after = calls.extend(&opened.token, 1_800).await;
    assert_eq!(after.status, 200, "{after:?}");
    for end in ["expires_at", "absolute_expires_at"] {
        assert_eq!(ms(&after.body, end), ms(&before, end) + 1_800_000, "{end}");
    }
    // A use does not take back what was added.
    assert_eq!(
        ms(&calls.get(&opened.token).await.body, "expires_at"),
        ms(&after.body, "expires_at")
    );
    let anna = ExternalId::parse("anna").unwrap();
    let score: i64 = scene
        .redis
        .query(cmd("ZSCORE").arg(scene.keys().sessions_of(&anna)).arg(&opened.id))
        .await;
    assert_eq!(score, ms(&after.body, "absolute_expires_at"));
    let ends: i64 = scene
        .redis
        .query(cmd("PEXPIRETIME").arg(scene.keys().sessions_of(&anna)))
        .await;
    assert_eq!(ends, score);
}

#[actix_web::test]
async fn an_extension_never_exceeds_the_maximum_lifetime() {
    let scene = Scene::new().await.with(&["--session-max-ttl=5000"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls
        .open_as(json!({"subject": "anna", "idle_ttl_s": 600, "absolute_ttl_s": 3000}))
        .await;
    let created = ms(&calls.get(&opened.token).await.body, "created_at");
    for (seconds, absolute, ends) in [
        (1_500, 4_500, 2_100),
        (1_500, 5_000, 3_600),
        (5_000, 5_000, 5_000),
        (1, 5_000, 5_000),
    ] {
        let body = calls.extend(&opened.token, seconds).await.body;
        assert_eq!(ms(&body, "absolute_expires_at"), created + absolute * 1_000, "{body}");
        assert_eq!(ms(&body, "expires_at"), created + ends * 1_000, "{body}");
    }
}

#[actix_web::test]
async fn a_lower_maximum_lifetime_shortens_no_existing_session() {
    let scene = Scene::new().await;
    let (token, created) = embedded(&scene, settings())
        .await
        .create(&new("anna", 50_000, 100_000))
        .await
        .unwrap();
    let mut lower = settings();
    lower.max_ttl_s = 10;
    let sessions = embedded(&scene, lower).await;
    let extended = sessions.extend(&token, Duration::from_secs(5)).await.unwrap();
    assert_eq!(extended.times.absolute_ms, created.times.absolute_ms);
    assert_eq!(extended.times.ends_ms, created.times.ends_ms + 5_000);
}
