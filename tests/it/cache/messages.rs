//! The invalidation messages between instances.

use super::{embedded, id, minute};
use crate::support::Scene;
use fleetpulse::cache::Cache;
use futures_util::{FutureExt, StreamExt};
use redis::Client;

const KEYS: usize = 1_200;

#[actix_web::test]
async fn each_script_call_publishes_only_its_own_keys() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let client = Client::open(scene.redis.url()).unwrap();
    let (mut sink, mut messages) = client.get_async_pubsub().await.unwrap().split();
    sink.subscribe(scene.keys().cache_channel()).await.unwrap();
    let names: Vec<String> = (0..KEYS).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let values: Vec<(&str, u64)> = keys.iter().copied().zip(0..).collect();
    let end = async |cache: &Cache| cache.delete(&id("n"), "the last one").await.unwrap();

    for written in [true, false] {
        if written {
            cache.set_many(&id("n"), &values, &minute()).await.unwrap();
        } else {
            cache.delete_many(&id("n"), &keys).await.unwrap();
        }
        end(&cache).await;
        let mut received = Vec::new();
        while received.len() < 8 * KEYS + 8 {
            let message = messages.next().await.unwrap();
            received.extend_from_slice(message.get_payload_bytes());
        }
        assert_eq!(received.len(), 8 * KEYS + 8);
        let mut subjects: Vec<&[u8]> = received.chunks(8).collect();
        subjects.sort_unstable();
        subjects.dedup();
        assert_eq!(subjects.len(), KEYS + 1, "each is published once");
    }
    assert!(messages.next().now_or_never().is_none());
}
