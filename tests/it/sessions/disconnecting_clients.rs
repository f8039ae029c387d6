//! Clients that disconnect while a session or a token is created for them, over slow connections to Redis, together with clients that
//! stay: no session is left that no client received, and every received token is valid for as long as it should be.

use super::{Calls, listed};
use crate::support::{AbandonedPost, DisconnectingClients, Scene, eventually};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::join;
use tokio::time::sleep;

const DISCONNECTING: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(20);
const CLIENTS: usize = 20;
/// Their tokens are rotated by clients that leave.
const ROTATED: usize = 5;
const LEFT: usize = 4;

/// A client that stays: each session that it is given can be used, changed, rotated and ended.
async fn stays(calls: &Calls, subject: String, until: Instant, count: &Cell<usize>) {
    while Instant::now() < until {
        let session = calls.open(&subject).await;
        let changed = calls.patch(&session.token, 1, json!({"n": 1})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let rotated = calls.rotate(&session.token).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let token = rotated.body["token"].as_str().unwrap();
        let used = calls.get(token).await;
        assert_eq!((used.status, &used.body["data"]), (200, &json!({"n": 1})), "{used:?}");
        assert_eq!(calls.ids(&subject).await, [session.id]);
        assert_eq!(calls.sign_out(token).await.status, 204);
        count.set(count.get() + 1);
        sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn disconnecting_clients_on_slow_connections_keep_no_session() {
    let scene = Scene::new().await.with(&["--session-rotation-grace=1500"]);
    let (service, disconnecting) = (scene.start().await, DisconnectingClients::beside(&scene).await);
    let calls = Calls::of(&service);
    let mut rotated = Vec::new();
    for number in 0..ROTATED {
        rotated.push(calls.open(&format!("rotated-{number}")).await);
    }
    let leaving = |_round| {
        let made = (0..LEFT).flat_map(|number| {
            let one = AbandonedPost::new("/v1/sessions", json!({"subject": format!("left-{number}")}));
            [one.clone(), one]
        });
        let again = rotated.iter().flat_map(|session| {
            let one = AbandonedPost::new("/v1/sessions/current/rotate", Value::Null).by(&session.token);
            [one.clone(), one]
        });
        made.chain(again).collect()
    };
    let (until, count) = (Instant::now() + DISCONNECTING, Cell::new(0));
    let staying = join_all((0..CLIENTS).map(|n| stays(&calls, format!("stays-{n}"), until, &count)));
    // A client that did not get the new token continues with the old one.
    let going_on = async {
        while Instant::now() < until {
            for session in &rotated {
                let used = calls.get(&session.token).await;
                assert_eq!(used.status, 200, "{used:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (left, _, ()) = join!(disconnecting.storm(DISCONNECTING, leaving), staying, going_on);
    assert!(left > 50 && count.get() > CLIENTS, "{left}, {}", count.get());
    for number in 0..LEFT {
        eventually(SOON, "no session of the disconnected clients is left", async || {
            let answer = calls.list(&format!("left-{number}")).await;
            listed(&answer).is_empty().then_some(())
        })
        .await;
    }
    for session in &rotated {
        let again = eventually(SOON, "the old token is replaced", async || {
            let again = calls.rotate(&session.token).await;
            // Too many replaced tokens are still accepted.
            (again.status != 429).then_some(again)
        })
        .await;
        assert_eq!(again.status, 200, "{again:?}");
        let token = again.body["token"].as_str().unwrap();
        assert_eq!(calls.get(token).await.status, 200);
    }
    let stats = calls.0.get("/v1/sessions/stats").await;
    assert_eq!(stats.body["stolen_total"], 0, "{stats:?}");
}
