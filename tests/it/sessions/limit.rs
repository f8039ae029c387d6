//! The limit on the sessions of a subject.

use super::{Calls, embedded, new, session_keys, settings};
use crate::support::Scene;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::sleep;

#[actix_web::test]
async fn the_oldest_session_ends() {
    let scene = Scene::new().await.with(&["--sessions-per-subject=3"]);
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(calls.open("anna").await);
    }
    let others = calls.open("berta").await;
    for (n, session) in opened.iter().enumerate() {
        let status = calls.get(&session.token).await.status;
        assert_eq!(status, if n < 2 { 401 } else { 200 }, "{n}");
    }
    let left: Vec<_> = opened[2..].iter().map(|session| session.id.clone()).collect();
    assert_eq!(calls.ids("anna").await, left);
    assert_eq!(calls.get(&others.token).await.status, 200);
    assert_eq!(session_keys(&scene).await.len(), 4);
}

#[actix_web::test]
async fn the_oldest_is_the_one_created_first_regardless_of_its_end() {
    let scene = Scene::new().await;
    let mut two = settings();
    two.per_subject = 2;
    let sessions = embedded(&scene, two).await;
    let (old, _) = sessions.create(&new("anna", 500_000, 900_000)).await.unwrap();
    let (short, _) = sessions.create(&new("anna", 10_000, 10_000)).await.unwrap();
    sessions.create(&new("anna", 50_000, 50_000)).await.unwrap();
    assert!(sessions.validate(&old).await.is_err());
    assert!(sessions.validate(&short).await.is_ok());
}

#[actix_web::test]
async fn an_expired_session_does_not_count_towards_the_limit() {
    let scene = Scene::new().await;
    let mut two = settings();
    two.per_subject = 2;
    let sessions = embedded(&scene, two).await;
    let (kept, _) = sessions.create(&new("anna", 50_000, 50_000)).await.unwrap();
    // Its absolute expiry, at which the index would be cleaned, is much later.
    sessions.create(&new("anna", 30, 50_000)).await.unwrap();
    sleep(Duration::from_millis(31)).await;
    sessions.create(&new("anna", 50_000, 50_000)).await.unwrap();
    assert!(sessions.validate(&kept).await.is_ok());
}

#[actix_web::test]
async fn a_lower_limit_applies_from_the_next_session_on() {
    let scene = Scene::new().await;
    let sessions = embedded(&scene, settings()).await;
    for _ in 0..10 {
        sessions.create(&new("anna", 50_000, 50_000)).await.unwrap();
    }
    let mut four = settings();
    four.per_subject = 4;
    let lower = embedded(&scene, four).await;
    let (token, created) = lower.create(&new("anna", 50_000, 50_000)).await.unwrap();
    assert!(lower.validate(&token).await.is_ok());
    assert_eq!(lower.list(&created.subject).await.unwrap().len(), 4);
    assert_eq!(session_keys(&scene).await.len(), 4);
}

#[actix_web::test]
async fn concurrent_creations_never_exceed_the_limit() {
    let scene = Scene::new().await.with(&["--sessions-per-subject=4"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let instances = [Calls::of(&one), Calls::of(&other)];
    let opened = join_all((0..60).map(|n| instances[n % 2].open("anna"))).await;
    assert_eq!(session_keys(&scene).await.len(), 4);
    let listed = instances[0].ids("anna").await;
    let mut valid = Vec::new();
    for session in &opened {
        if instances[1].get(&session.token).await.status == 200 {
            valid.push(session.id.clone());
        }
    }
    valid.sort_by_key(|id| listed.iter().position(|listed| listed == id));
    assert_eq!(valid, listed);
}
