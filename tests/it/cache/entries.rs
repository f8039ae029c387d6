//! Entries in the Rust interface: written, found, distinguished, expired.

use super::{MINUTE, SOON, embedded, id, minute};
use crate::support::{Scene, eventually};
use fleetpulse::cache::{CacheError, Level, Put};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[actix_web::test]
async fn a_value_is_found_by_every_instance_until_it_is_deleted() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let prices = id("prices");
    assert!(here.get::<Value>(&prices, "7/eur").await.unwrap().is_none());
    here.set(&prices, "7/eur", &json!({"cents": 1_999}), &minute())
        .await
        .unwrap();
    let hit = there.get::<Value>(&prices, "7/eur").await.unwrap().unwrap();
    assert_eq!((hit.value, hit.level), (json!({"cents": 1_999}), Level::Shared));
    assert!(hit.fresh_for > MINUTE / 2 && hit.fresh_for <= MINUTE);
    assert!(there.exists(&prices, "7/eur").await.unwrap());
    there.delete(&prices, "7/eur").await.unwrap();
    assert!(here.get::<Value>(&prices, "7/eur").await.unwrap().is_none());
}

#[actix_web::test]
async fn null_is_a_value() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    cache.set(&id("n"), "k", &Value::Null, &minute()).await.unwrap();
    let hit = cache.get::<Option<u32>>(&id("n"), "k").await.unwrap();
    assert_eq!(hit.expect("a hit").value, None);
    assert!(cache.get::<Option<u32>>(&id("n"), "other").await.unwrap().is_none());
}

#[actix_web::test]
async fn many_entries_are_written_read_and_deleted_in_one_call() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let names: Vec<String> = (0..1_200).map(|n| format!("k{n}")).collect();
    let values: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(0..).collect();
    cache
        .set_many(&id("n"), &values, &minute().tagged([id("t")]))
        .await
        .unwrap();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = cache.get_many::<usize>(&id("n"), &keys).await.unwrap();
    for (place, hit) in found.into_iter().enumerate() {
        assert_eq!(hit.unwrap().expect("a hit").value, place);
    }
    cache.delete_many(&id("n"), &keys[..600]).await.unwrap();
    let found = cache.get_many::<usize>(&id("n"), &keys).await.unwrap();
    let found = found.into_iter().filter(|hit| matches!(hit, Ok(Some(_)))).count();
    assert_eq!(found, 600);
}

#[actix_web::test]
async fn many_entries_with_different_tags_are_read_quickly() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let names: Vec<String> = (0..500).map(|n| format!("k{n}")).collect();
    for names in names.chunks(20) {
        let written = names.iter().map(async |name| {
            let tags = (0..32).map(|n| id(&format!("{name}:{n}")));
            cache.set(&id("n"), name, &1, &minute().tagged(tags)).await.unwrap();
        });
        join_all(written).await;
    }
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let began = Instant::now();
    let found = cache.get_many::<u64>(&id("n"), &keys).await.unwrap();
    let took = began.elapsed();
    assert!(found.into_iter().all(|hit| hit.unwrap().is_some()));
    // Comparing each of 16,000 tags with each takes many seconds here.
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[actix_web::test]
async fn an_expired_entry_is_deleted_from_redis() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let put = Put::fresh_for(Duration::from_millis(60)).stale_for(Duration::from_millis(60), Duration::ZERO);
    cache.set(&id("n"), "k", &1, &put).await.unwrap();
    eventually(SOON, "it is stale", async || {
        let hit = cache.get::<u8>(&id("n"), "k").await.unwrap()?;
        hit.fresh_for.is_zero().then_some(())
    })
    .await;
    eventually(SOON, "it no longer exists", async || {
        let hit = cache.get::<u8>(&id("n"), "k").await.unwrap();
        hit.is_none().then_some(())
    })
    .await;
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    eventually(SOON, "Redis has nothing", async || {
        let mut exists = redis::cmd("EXISTS");
        (!scene.redis.query::<bool>(exists.arg(&name)).await).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_touch_extends_an_entry() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    here.set(
        &id("n"),
        "k",
        &1,
        &Put::fresh_for(Duration::from_secs(5)).tagged([id("t")]),
    )
    .await
    .unwrap();
    assert!(there.touch(&id("n"), "k", MINUTE).await.unwrap());
    let left = here.ttl(&id("n"), "k").await.unwrap().unwrap();
    assert!(left.fresh_for > Duration::from_secs(50), "{left:?}");
    let name = scene.keys().cache_entry(&id("n"), "k").name;
    let mut pttl = redis::cmd("PTTL");
    assert!(scene.redis.query::<i64>(pttl.arg(&name)).await > 50_000);
    assert!(!here.touch(&id("n"), "other", MINUTE).await.unwrap());
    here.invalidate(&[id("t")]).await.unwrap();
    assert!(!there.touch(&id("n"), "k", MINUTE).await.unwrap());
}

#[actix_web::test]
async fn keys_values_and_tags_are_bounded() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let n = id("n");
    let set = async |key: &str, put: &Put| cache.set(&n, key, &1, put).await;
    assert!(matches!(set("", &minute()).await, Err(CacheError::Key)));
    assert!(matches!(set(&"x".repeat(257), &minute()).await, Err(CacheError::Key)));
    assert!(set(&"x".repeat(256), &minute()).await.is_ok());
    assert!(set("{a}\n b/ü\0", &minute()).await.is_ok());
    assert!(cache.exists(&n, "{a}\n b/ü\0").await.unwrap());
    let tags = |count: u32| (0..count).map(|n| id(&format!("t{n}")));
    assert!(set("k", &minute().tagged(tags(32))).await.is_ok());
    assert!(cache.exists(&n, "k").await.unwrap());
    assert!(matches!(
        set("k", &minute().tagged(tags(33))).await,
        Err(CacheError::TooManyTags)
    ));
    let big = "x".repeat(1_048_576);
    assert!(matches!(
        cache.set(&n, "k", &big, &minute()).await,
        Err(CacheError::TooBig { .. })
    ));
}

#[actix_web::test]
async fn a_value_that_redis_cannot_increment_is_not_a_counter() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let name = scene.keys().cache_counter(&id("n"), "c").name;
    for text in ["007", "-0", "1.5", "x"] {
        let () = scene.redis.query(redis::cmd("SET").arg(&name).arg(text)).await;
        let counted = cache.incr(&id("n"), "c", 1, MINUTE).await;
        assert!(matches!(counted, Err(CacheError::NoCounter)), "{text}: {counted:?}");
    }
    let () = scene.redis.query(redis::cmd("DEL").arg(&name)).await;
    let () = scene.redis.query(redis::cmd("RPUSH").arg(&name).arg(1)).await;
    let counted = cache.incr(&id("n"), "c", 1, MINUTE).await;
    assert!(matches!(counted, Err(CacheError::NoCounter)), "{counted:?}");
    let again = cache.counter(&id("n"), "c").await;
    assert!(matches!(again, Err(CacheError::NoCounter)), "{again:?}");
}
