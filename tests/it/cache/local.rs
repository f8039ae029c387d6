//! The level in the process: invalidated by messages, emptied without a subscription.

use super::{MINUTE, SOON, embedded, embedded_at, embedded_with, id, minute};
use crate::support::{Proxy, Redis, Scene, eventually};
use fleetpulse::cache::{Cache, CacheSettings, Level, Put};

fn local() -> Put {
    minute().kept_locally(MINUTE).tagged([id("t")])
}

async fn level(cache: &Cache, key: &str) -> Option<(u64, Level)> {
    let hit = cache.get::<u64>(&id("n"), key).await.unwrap()?;
    Some((hit.value, hit.level))
}

/// Waits until the process answers from its memory.
async fn is_kept(cache: &Cache, key: &str, value: u64) {
    eventually(SOON, "it is kept in the process", async || {
        (level(cache, key).await == Some((value, Level::Local))).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn process_memory_follows_changes_of_other_instances() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let n = id("n");
    let changes: [(&str, Option<u64>); 4] = [("set", Some(2)), ("delete", None), ("tag", None), ("clear", None)];
    for (change, expected) in changes {
        here.set(&n, "k", &1, &local()).await.unwrap();
        is_kept(&here, "k", 1).await;
        is_kept(&there, "k", 1).await;
        match change {
            "set" => there.set(&n, "k", &2, &local()).await.unwrap(),
            "delete" => there.delete(&n, "k").await.unwrap(),
            "tag" => there.invalidate(&[id("t")]).await.unwrap(),
            _ => there.clear(&n).await.unwrap(),
        }
        // On the instance that acknowledged it, this holds at once; elsewhere when the message has arrived.
        assert_eq!(level(&there, "k").await.map(|(value, _)| value), expected, "{change}");
        eventually(SOON, change, async || {
            (level(&here, "k").await.map(|(value, _)| value) == expected).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn process_memory_is_used_only_if_and_as_long_as_the_writer_allows() {
    let scene = Scene::new().await;
    let settings = CacheSettings {
        local_ttl_ms: 50,
        ..CacheSettings::default()
    };
    let cache = embedded_with(&scene.redis.url(), &scene, settings).await;
    cache.set(&id("n"), "kept", &1, &local()).await.unwrap();
    is_kept(&cache, "kept", 1).await;
    // An instance keeps it for no longer than its settings allow, even if its writer allows more.
    eventually(SOON, "it is read from Redis again", async || {
        (level(&cache, "kept").await == Some((1, Level::Shared))).then_some(())
    })
    .await;
    cache.set(&id("n"), "strict", &1, &minute()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(level(&cache, "strict").await, Some((1, Level::Shared)));
    }
}

#[actix_web::test]
async fn after_a_lost_subscription_process_memory_is_empty() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(&scene.redis.url()).await;
    let (here, there) = (embedded_at(&proxy.url(), &scene).await, embedded(&scene).await);
    let n = id("n");
    for round in 0..3 {
        there.set(&n, "k", &round, &local()).await.unwrap();
        there.set(&n, "tagged", &round, &local()).await.unwrap();
        is_kept(&here, "k", round).await;
        is_kept(&here, "tagged", round).await;
        proxy.cut();
        eventually(SOON, "the loss is noticed", async || {
            (!here.shared().is_subscribed()).then_some(())
        })
        .await;
        // It does not answer from its memory, and Redis is unavailable.
        assert!(here.get::<u64>(&n, "k").await.is_err());
        there.set(&n, "k", &(round + 100), &local()).await.unwrap();
        there.invalidate(&[id("t")]).await.unwrap();
        there.set(&n, "k", &(round + 200), &local()).await.unwrap();
        proxy.mend();
        let found = eventually(SOON, "it is connected again", async || {
            here.get::<u64>(&n, "k").await.ok()
        })
        .await;
        assert_eq!(found.unwrap().value, round + 200);
        assert!(here.get::<u64>(&n, "tagged").await.unwrap().is_none());
    }
}

#[actix_web::test]
async fn only_the_subscription_may_be_lost() {
    // The connection for commands stays open: only the messages are missed.
    let redis = Redis::forgetful().await;
    let scene = Scene::on(redis);
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let n = id("n");
    here.set(&n, "k", &1, &local()).await.unwrap();
    is_kept(&here, "k", 1).await;
    let _: i64 = scene
        .redis
        .query(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"))
        .await;
    eventually(SOON, "the loss is noticed", async || {
        let unsubscribed = !here.shared().is_subscribed() || level(&here, "k").await == Some((1, Level::Shared));
        unsubscribed.then_some(())
    })
    .await;
    there.set(&n, "k", &2, &local()).await.unwrap();
    eventually(SOON, "the new value", async || {
        (level(&here, "k").await.unwrap().0 == 2).then_some(())
    })
    .await;
    is_kept(&here, "k", 2).await;
}

#[actix_web::test]
async fn its_memory_is_bounded() {
    let scene = Scene::new().await;
    let settings = CacheSettings {
        local_bytes: 50_000,
        ..CacheSettings::default()
    };
    let cache = embedded_with(&scene.redis.url(), &scene, settings).await;
    let text = "x".repeat(1_000);
    cache.set(&id("n"), "first", &text, &local()).await.unwrap();
    eventually(SOON, "it listens", async || {
        cache.get::<String>(&id("n"), "first").await.unwrap();
        cache.shared().is_subscribed().then_some(())
    })
    .await;
    for n in 0..200 {
        let key = format!("k{n}");
        cache.set(&id("n"), &key, &text, &local()).await.unwrap();
        cache.get::<String>(&id("n"), &key).await.unwrap().unwrap();
    }
    let stats = cache.shared().stats();
    assert!(
        stats.local.bytes <= 50_000 && stats.local.entries > 5,
        "{:?}",
        stats.local
    );
    assert_eq!(stats.namespaces["n"].local_bytes, stats.local.bytes);
}
