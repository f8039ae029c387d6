//! Clients that disconnect before they receive their ticket, over slow connections to Redis, together with clients that compute values and
//! clients that invalidate them: no lease is left behind, and no value survives its deletion.

use super::{CacheApi, SOON};
use crate::support::{AbandonedPost, DisconnectingClients, Scene, eventually};
use futures_util::future::join_all;
use rand::RngExt;
use serde_json::json;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::join;
use tokio::time::sleep;

const DISCONNECTING: Duration = Duration::from_secs(5);
const KEYS: usize = 6;
const CLIENTS: usize = 24;

/// What the cached value of a key is computed from.
#[derive(Default)]
struct Source {
    /// Counts changes.
    now: Cell<u64>,
    /// The change whose deletion of the cached value was acknowledged last.
    deleted: Cell<u64>,
    stored: Cell<u64>,
}

fn key(number: usize) -> String {
    format!("n/k{number}")
}

async fn live(ways: &[CacheApi], sources: &[Source], until: Instant) {
    while Instant::now() < until {
        let number = rand::rng().random_range(0..KEYS);
        let way = &ways[rand::rng().random_range(0..ways.len())];
        let (source, path) = (&sources[number], key(number));
        if rand::rng().random_bool(0.1) {
            let change = source.now.get() + 1;
            source.now.set(change);
            if way.delete(&path).await.status == 204 {
                source.deleted.set(source.deleted.get().max(change));
            }
            continue;
        }
        let least = source.deleted.get();
        let found = way.get(&path).await;
        match found.status {
            200 => assert!(
                found.body["value"].as_u64() >= Some(least),
                "{path}: {found:?}, {least}"
            ),
            404 => {
                let ticket = way.post(&format!("tickets/{path}"), json!({"lease_ms": 300_000})).await;
                if ticket.status == 201 {
                    let value = source.now.get();
                    sleep(Duration::from_millis(rand::rng().random_range(0..5))).await;
                    let ticket = &ticket.body["ticket"];
                    let body = json!({"value": value, "ttl_s": 60, "ticket": ticket});
                    // Until its outcome is known, so that no lease remains.
                    let stored = eventually(SOON, "it is stored or refused", async || {
                        let stored = ways[0].put(&path, body.clone()).await;
                        (stored.status != 503).then_some(stored.status)
                    });
                    match stored.await {
                        204 => source.stored.set(source.stored.get() + 1),
                        // Deleted in the meantime.
                        409 => {}
                        status => panic!("{status}"),
                    }
                } else {
                    assert!([409, 503].contains(&ticket.status), "{ticket:?}");
                    sleep(Duration::from_millis(5)).await;
                }
            }
            503 => sleep(Duration::from_millis(20)).await,
            _ => panic!("{found:?}"),
        }
    }
}

#[actix_web::test]
async fn disconnecting_clients_on_slow_connections_leave_every_key_computable() {
    let scene = Scene::new().await;
    let (one, disconnecting) = (scene.start().await, DisconnectingClients::beside(&scene).await);
    let ways = [
        CacheApi::of(&one),
        CacheApi::of(&one),
        CacheApi::of(disconnecting.service()),
    ];
    let sources: Vec<Source> = (0..KEYS).map(|_| Source::default()).collect();
    let until = Instant::now() + DISCONNECTING;
    let living = join_all((0..CLIENTS).map(|_| live(&ways, &sources, until)));
    let leaving = |_round| {
        let keys = (0..KEYS).flat_map(|number| [number, number]);
        keys.map(|number| {
            let path = format!("/v1/cache/tickets/{}", key(number));
            AbandonedPost::new(path, json!({"lease_ms": 300_000}))
        })
        .collect()
    };
    let (left, _) = join!(disconnecting.storm(DISCONNECTING, leaving), living);
    assert!(left > 50, "{left}");
    for (number, source) in sources.iter().enumerate() {
        assert!(source.stored.get() > 3, "{}", source.stored.get());
        eventually(SOON, "no client computes it", async || {
            let ticket = ways[0]
                .post(&format!("tickets/{}", key(number)), json!({"lease_ms": 1}))
                .await;
            (ticket.status == 201).then_some(())
        })
        .await;
    }
}
