//! Stored values that are not entries: distinguished from a miss, and replaceable.

use super::{CacheApi, embedded, get_or, id, minute, tagged};
use crate::support::Scene;
use fleetpulse::cache::{CacheError, Policy};
use serde_json::json;

#[actix_web::test]
async fn a_corrupt_entry_is_reported_as_corrupt_and_computed_again() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    cache.set(&id("n"), "k", &1, &minute()).await.unwrap();
    let whole: Vec<u8> = scene.redis.query(redis::cmd("GET").arg(&name)).await;
    let shapes: [Vec<u8>; 5] = [
        Vec::new(),
        b"x".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        [b"\x09".to_vec(), whole[1..].to_vec()].concat(),
        vec![0xff; 300],
    ];
    for shape in shapes {
        let () = scene.redis.query(redis::cmd("SET").arg(&name).arg(&shape)).await;
        let found = cache.get::<u64>(&id("n"), "k").await;
        assert!(matches!(found, Err(CacheError::Corrupt)), "{shape:?}: {found:?}");
        assert_eq!(get_or(&cache, "n", "k", &tagged("t"), 7).await, 7);
        assert_eq!(
            cache.get::<u64>(&id("n"), "k").await.unwrap().unwrap().value,
            7,
            "{shape:?}"
        );
    }
}

#[actix_web::test]
async fn a_key_of_another_type_is_overwritten() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    for key in ["computed", "set"] {
        let name = scene.keys().cache_entry(&id("n"), key).name;
        let _: u64 = scene.redis.query(redis::cmd("RPUSH").arg(&name).arg("x")).await;
    }
    let version = scene.keys().cache_tag(&id("t")).name;
    let _: u64 = scene.redis.query(redis::cmd("RPUSH").arg(&version).arg("x")).await;
    assert_eq!(get_or(&cache, "n", "computed", &tagged("t"), 7).await, 7);
    assert_eq!(get_or(&cache, "n", "computed", &tagged("t"), 8).await, 7);
    cache.set(&id("n"), "set", &1, &minute()).await.unwrap();
    assert!(cache.exists(&id("n"), "set").await.unwrap());
}

#[actix_web::test]
async fn a_value_of_another_rust_type_is_corrupt_and_computed_again() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    cache.set(&id("n"), "k", "text", &minute()).await.unwrap();
    assert!(matches!(
        cache.get::<u64>(&id("n"), "k").await,
        Err(CacheError::Corrupt)
    ));
    assert_eq!(get_or(&cache, "n", "k", &Policy::new(minute()), 7).await, 7);
    assert_eq!(cache.get::<u64>(&id("n"), "k").await.unwrap().unwrap().value, 7);
}

#[actix_web::test]
async fn over_http_a_corrupt_entry_is_a_409_until_it_is_overwritten_or_deleted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    let () = scene.redis.query(redis::cmd("SET").arg(&name).arg("x")).await;
    api.get("n/k").await.assert_problem(409, &[]);
    api.patch("n/k", json!({"ttl_s": 5})).await.assert_problem(409, &[]);
    let found = api.post("n", json!({"get": ["k"]})).await;
    assert_eq!(found.body["results"][0], json!({"key": "k", "state": "corrupt"}));
    assert_eq!(api.delete("n/k").await.status, 204);
    assert_eq!(api.get("n/k").await.status, 404);
    let counter = scene.keys().cache_counter(&id("n"), "c").name;
    let () = scene.redis.query(redis::cmd("SET").arg(&counter).arg("x")).await;
    api.post("counters/n/c", json!({})).await.assert_problem(409, &[]);
    api.get("counters/n/c").await.assert_problem(409, &[]);
}
