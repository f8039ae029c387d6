//! Validation, and how it extends the idle expiry.

use super::{Calls, embedded, ms, new, settings};
use crate::support::{Scene, eventually, now_ms, send};
use fleetpulse::ids::ExternalId;
use fleetpulse::sessions::{SessionError, SessionPartition};
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(10);

#[actix_web::test]
async fn an_invalid_token_opens_no_session() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls.open("anna").await;
    let bare = calls.0.request(Method::GET, "/v1/sessions/current");
    send(bare).await.assert_problem(401, &[]);
    let (token, id) = (opened.token.as_str(), opened.id.as_str());
    let another = calls.open("anna").await.token;
    // In particular, the right session with a wrong secret.
    let mixed = format!("{}{}", &token[..38], &another[38..]);
    for credentials in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {token}"),
        token.to_owned(),
        format!("Bearer {id}"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {token}0"),
        format!("Bearer {mixed}"),
        format!("Bearer {}", "x".repeat(5_000)),
        "Bearer fps_é".to_owned(),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let request = calls.0.request(method, "/v1/sessions/current");
            let request = request.header("authorization", credentials.as_bytes());
            send(request).await.assert_problem(401, &[]);
        }
    }
    // None of these calls has changed the session.
    assert_eq!(calls.get(token).await.status, 200);
    let lower = calls.0.request(Method::GET, "/v1/sessions/current");
    assert_eq!(
        send(lower.header("authorization", format!("bearer {token}")))
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn a_use_moves_the_end_but_never_past_the_absolute_end() {
    let scene = Scene::new().await;
    let sessions = embedded(&scene, settings()).await;
    let (token, created) = sessions.create(&new("anna", 200, 500)).await.unwrap();
    let mut last = created.times;
    assert_eq!(last.ends_ms, last.created_ms + 200);
    let ended = eventually(SOON, "it ends by its absolute end", async || {
        match sessions.validate(&token).await {
            Ok(session) => {
                let times = session.times;
                // The expiry moves to the idle time to live from now, or to the absolute expiry; it moves every 20 ms.
                assert!(
                    times.ends_ms >= last.ends_ms && times.ends_ms <= times.absolute_ms,
                    "{times:?}"
                );
                assert_eq!(times.ends_ms, (times.seen_ms + 200).min(times.absolute_ms), "{times:?}");
                assert!(
                    times.seen_ms == last.seen_ms || times.seen_ms >= last.seen_ms + 20,
                    "{times:?} {last:?}"
                );
                last = times;
                None
            }
            Err(SessionError::Unknown) => Some(now_ms()),
            Err(error) => panic!("{error}"),
        }
    })
    .await;
    assert_eq!(last.absolute_ms, created.times.created_ms + 500);
    assert!(ended >= last.absolute_ms, "{ended} {last:?}");
    assert!(
        last.ends_ms > created.times.created_ms + 400,
        "it was kept alive: {last:?}"
    );
}

#[actix_web::test]
async fn without_use_a_session_ends_at_its_announced_end() {
    let scene = Scene::new().await;
    let sessions = embedded(&scene, settings()).await;
    let (token, _) = sessions.create(&new("anna", 250, 60_000)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let ends_ms = sessions.validate(&token).await.unwrap().times.ends_ms;
    let key = scene.keys().session(token.partition(), token.id());
    let in_redis: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&key)).await;
    assert_eq!(in_redis, ends_ms);
    sleep(Duration::from_millis(u64::try_from(ends_ms - now_ms()).unwrap() + 1)).await;
    assert!(matches!(sessions.validate(&token).await, Err(SessionError::Unknown)));
    assert_eq!(scene.redis.query::<i64>(cmd("EXISTS").arg(&key)).await, 0);
}

#[actix_web::test]
async fn the_end_is_written_at_most_once_a_minute() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let opened = calls.open_as(json!({"subject": "anna", "idle_ttl_s": 3600})).await;
    let key = scene
        .keys()
        .session(SessionPartition::of(&ExternalId::parse("anna").unwrap()), &opened.id);
    let first = calls.get(&opened.token).await.body;
    for _ in 0..5 {
        assert_eq!(calls.get(&opened.token).await.body, first);
    }
    // As if it had been used last 61 s ago, and a little less than a minute ago.
    let seen: i64 = scene.redis.query(cmd("HGET").arg(&key).arg("seen")).await;
    let set = async |seen: i64| {
        scene
            .redis
            .query::<()>(cmd("HSET").arg(&key).arg("seen").arg(seen))
            .await;
    };
    set(now_ms() - 50_000).await;
    assert_eq!(
        ms(&calls.get(&opened.token).await.body, "expires_at"),
        ms(&first, "expires_at")
    );
    set(seen - 61_000).await;
    let moved = calls.get(&opened.token).await.body;
    assert!(ms(&moved, "last_seen_at") >= seen, "{moved}");
    assert_eq!(ms(&moved, "expires_at"), ms(&moved, "last_seen_at") + 3_600_000);
    let ttl: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&key)).await;
    assert_eq!(ttl, ms(&moved, "expires_at"));
}
