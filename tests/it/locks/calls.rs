//! Every call, and its errors.

use super::{LockApi, SOON, granted};
use crate::support::{Scene, eventually, now_ms};
use fleetpulse::tracking::input::parse_rfc3339;
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef";

#[actix_web::test]
async fn a_lock_is_granted_shown_renewed_and_released() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let answer = locks
        .acquire("dock:7", json!({"ttl_ms": 30_000, "wait_ms": 0, "owner": "billing-7"}))
        .await;
    let (token, fence) = granted(&answer);
    assert_eq!(token.len(), 32);
    assert!(fence < 1 << 53, "{fence}");
    assert_eq!(
        (&answer.body["name"], &answer.body["owner"]),
        (&json!("dock:7"), &json!("billing-7"))
    );
    let ends_at = |body: &Value| parse_rfc3339(body["expires_at"].as_str().unwrap()).unwrap();
    let first_end = ends_at(&answer.body);
    assert!((first_end - now_ms() - 30_000).abs() < 5_000, "{first_end}");
    assert!((20_000..=30_000).contains(&answer.body["expires_in_ms"].as_u64().unwrap()));

    let shown = locks.look("dock:7").await;
    assert_eq!(
        shown.body,
        json!({"name": "dock:7", "owner": "billing-7", "fence": fence, "expires_at": answer.body["expires_at"], "waiting": 0})
    );

    let renewed = locks.renew("dock:7", json!({"token": token, "ttl_ms": 60_000})).await;
    assert_eq!((renewed.status, &renewed.body["fence"]), (200, &json!(fence)));
    assert!(ends_at(&renewed.body) >= first_end + 30_000);
    // It never becomes shorter.
    let again = locks.renew("dock:7", json!({"token": token})).await;
    assert_eq!(again.body["expires_at"], renewed.body["expires_at"]);

    assert_eq!(locks.release("dock:7", &token).await.status, 204);
    locks.look("dock:7").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_second_request_gets_the_holder_and_the_expiry() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (LockApi::of(&one), LockApi::of(&other));
    let mine = one.acquire("l", json!({"ttl_ms": 30_000, "owner": "anna"})).await;
    let (token, fence) = granted(&mine);
    let taken = other.acquire("l", json!({"ttl_ms": 30_000, "owner": "ben"})).await;
    taken.assert_problem(409, &[]);
    assert_eq!(taken.body["type"], "urn:fleetpulse:problem:lock_taken");
    assert_eq!(
        (&taken.body["owner"], &taken.body["fence"]),
        (&json!("anna"), &json!(fence))
    );
    assert_eq!(taken.body["expires_at"], mine.body["expires_at"]);
    // The other cannot change it either.
    let wrong = other.release("l", TOKEN).await;
    wrong.assert_problem(409, &[]);
    assert_eq!(wrong.body["type"], "urn:fleetpulse:problem:lock_held_by_other");
    other.renew("l", json!({"token": TOKEN})).await.assert_problem(409, &[]);
    assert_eq!(other.look("l").await.body["expires_at"], mine.body["expires_at"]);

    assert_eq!(other.release("l", &token).await.status, 204, "the token is what counts");
    other.grant("l", 30_000).await;
}

#[actix_web::test]
async fn a_free_lock_is_a_404() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    locks.look("l").await.assert_problem(404, &[]);
    locks.release("l", TOKEN).await.assert_problem(404, &[]);
    locks.renew("l", json!({"token": TOKEN})).await.assert_problem(404, &[]);
    // An expired lease can be neither renewed nor released.
    let (token, _) = locks.grant("l", 100).await;
    locks.is_free("l").await;
    locks.renew("l", json!({"token": token})).await.assert_problem(404, &[]);
    locks.release("l", &token).await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_repeated_call_with_the_same_token_gets_the_same_grant() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (LockApi::of(&one), LockApi::of(&other));
    let body = json!({"ttl_ms": 30_000, "owner": "anna", "token": TOKEN});
    let first = one.acquire("l", body.clone()).await;
    assert_eq!(granted(&first).0, TOKEN);
    let mut waiting = body.clone();
    waiting["wait_ms"] = json!(1_000);
    for (locks, body) in [(&one, &body), (&other, &body), (&other, &waiting)] {
        let again = locks.acquire("l", body.clone()).await;
        assert_eq!(granted(&again), granted(&first));
        assert_eq!(again.body["expires_at"], first.body["expires_at"]);
    }
    // Another body under the same token is a mistake.
    for (member, value) in [
        ("ttl_ms", json!(40_000)),
        ("owner", json!("ben")),
        ("owner", Value::Null),
    ] {
        let mut other_body = body.clone();
        other_body[member] = value;
        one.acquire("l", other_body).await.assert_problem(422, &["/token"]);
    }
    assert_eq!(one.look("l").await.body["expires_at"], first.body["expires_at"]);
    assert_eq!(one.release("l", TOKEN).await.status, 204);
}

#[actix_web::test]
async fn a_repeated_release_gets_the_same_answer() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (token, _) = locks.grant("l", 30_000).await;
    for _ in 0..3 {
        assert_eq!(locks.release("l", &token).await.status, 204);
    }
    let (next, fence) = locks.grant("l", 30_000).await;
    // Also while the next holder has it, which is not affected.
    assert_eq!(locks.release("l", &token).await.status, 204);
    assert_eq!(locks.look("l").await.body["fence"], fence);
    assert_eq!(locks.release("l", &next).await.status, 204);
    locks.release("l", &token).await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_late_call_with_a_released_token_is_not_granted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let body = json!({"ttl_ms": 30_000, "token": TOKEN});
    let mut waiting = body.clone();
    waiting["wait_ms"] = json!(20_000);
    granted(&locks.acquire("l", body.clone()).await);
    assert_eq!(locks.release("l", TOKEN).await.status, 204);
    // A delayed repetition of the call: its client would not release a grant.
    for body in [&body, &waiting] {
        locks.acquire("l", body.clone()).await.assert_problem(422, &["/token"]);
    }
    assert_eq!(locks.look("l").await.status, 404);
    // A call that waits while its grant is released is answered, and holds nothing.
    let (held, _) = locks.grant("l", 30_000).await;
    let [one, other] = ["fedcba9876543210"; 2].map(|token| {
        let (locks, body) = (
            locks.clone(),
            json!({"ttl_ms": 30_000, "token": token, "wait_ms": 20_000}),
        );
        tokio::spawn(async move { locks.acquire("l", body).await })
    });
    locks.has_waiting("l", 2).await;
    locks.release("l", &held).await;
    locks.has_waiting("l", 1).await;
    assert_eq!(locks.release("l", "fedcba9876543210").await.status, 204);
    let mut answers = [one.await.unwrap(), other.await.unwrap()];
    answers.sort_by_key(|answer| answer.status);
    granted(&answers[0]);
    answers[1].assert_problem(422, &["/token"]);
    eventually(SOON, "it can be had", async || {
        (locks.acquire("l", json!({"ttl_ms": 1_000})).await.status == 201).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn locks_with_different_names_are_independent() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let locks = LockApi::of(&service);
    let (a, _) = locks.grant("a", 30_000).await;
    let (b, _) = locks.grant("b", 30_000).await;
    locks.release("a", &b).await.assert_problem(409, &[]);
    assert_eq!(locks.release("a", &a).await.status, 204);
    assert_eq!(locks.look("b").await.status, 200);
}
