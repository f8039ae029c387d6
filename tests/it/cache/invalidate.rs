//! An invalidated value is not served to later callers, regardless of concurrent computations, writes and losses.

use super::{CacheApi, SOON, embedded, get_or, id, minute, tagged};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::cache::{Cache, Lookup, Made, Policy, Put, Source, Stored};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

#[actix_web::test]
async fn a_tag_is_invalidated_by_one_write_whatever_its_size() {
    // Of its own, because it counts what the server does.
    let scene = Scene::on(Redis::forgetful().await);
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let names: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    let values: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(0..).collect();
    here.set_many(&id("n"), &values, &minute().tagged([id("t"), id("u")]))
        .await
        .unwrap();
    here.set(&id("n"), "other", &1, &minute().tagged([id("u")]))
        .await
        .unwrap();
    let written = async || {
        let stats: String = scene.redis.query(redis::cmd("INFO").arg("commandstats")).await;
        let calls = stats.lines().find_map(|line| {
            line.strip_prefix("cmdstat_unlink:calls=")?
                .split(',')
                .next()?
                .parse()
                .ok()
        });
        calls.unwrap_or(0_u64)
    };
    let before = written().await;
    there.invalidate(&[id("t")]).await.unwrap();
    assert_eq!(written().await - before, 1);
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = here.get_many::<u64>(&id("n"), &keys).await.unwrap();
    assert!(found.into_iter().all(|hit| hit.unwrap().is_none()));
    assert!(here.exists(&id("n"), "other").await.unwrap());
}

#[actix_web::test]
async fn a_namespace_is_cleared_by_one_write() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    here.set(&id("a"), "k", &1, &minute()).await.unwrap();
    here.set(&id("b"), "k", &1, &minute()).await.unwrap();
    there.clear(&id("a")).await.unwrap();
    assert!(!here.exists(&id("a"), "k").await.unwrap());
    assert!(here.exists(&id("b"), "k").await.unwrap());
    here.set(&id("a"), "k", &2, &minute()).await.unwrap();
    assert_eq!(there.get::<u64>(&id("a"), "k").await.unwrap().unwrap().value, 2);
}

/// Computes 1 under a key, does something once the computation has begun, and lets it end.
async fn during_computation(cache: &Cache, policy: &Policy, act: impl AsyncFnOnce()) -> u64 {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (beginning, ending) = (Arc::clone(&begun), Arc::clone(&end));
    let compute = move || async move {
        beginning.notify_one();
        ending.notified().await;
        Ok::<_, Infallible>(1_u64)
    };
    let n = id("n");
    let computing = cache.get_or_compute(&n, "k", policy, compute);
    let acting = async {
        begun.notified().await;
        act().await;
        end.notify_one();
    };
    let (fetched, ()) = tokio::join!(computing, acting);
    fetched.unwrap().value
}

#[actix_web::test]
async fn a_value_computed_before_an_invalidation_is_never_served_after_it() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    for local in [Duration::ZERO, Duration::from_secs(5)] {
        let policy = Policy::new(minute().tagged([id("t")]).kept_locally(local));
        for who in [&here, &there] {
            let value = during_computation(&here, &policy, async || {
                who.invalidate(&[id("t")]).await.unwrap();
                // A caller from now on does not wait for the computation that began before.
                assert_eq!(get_or(&here, "n", "k", &policy, 2).await, 2);
            });
            assert_eq!(value.await, 1);
            assert_eq!(get_or(&here, "n", "k", &policy, 9).await, 2, "the newer value stays");
            assert_eq!(get_or(&there, "n", "k", &policy, 9).await, 2);
            here.delete(&id("n"), "k").await.unwrap();
            during_computation(&here, &policy, async || who.invalidate(&[id("t")]).await.unwrap()).await;
            assert_eq!(get_or(&there, "n", "k", &policy, 3).await, 3);
            here.delete(&id("n"), "k").await.unwrap();
            during_computation(&here, &policy, async || who.clear(&id("n")).await.unwrap()).await;
            assert_eq!(get_or(&here, "n", "k", &policy, 4).await, 4);
            here.delete(&id("n"), "k").await.unwrap();
            during_computation(&here, &policy, async || who.delete(&id("n"), "k").await.unwrap()).await;
            assert_eq!(get_or(&here, "n", "k", &policy, 5).await, 5);
            // By the next computation: the memory of its process was updated at once.
            here.delete(&id("n"), "k").await.unwrap();
            during_computation(&here, &policy, async || {
                who.set(&id("n"), "k", &6, &minute()).await.unwrap();
            })
            .await;
            assert_eq!(get_or(&here, "n", "k", &policy, 9).await, 6);
            who.delete(&id("n"), "k").await.unwrap();
            eventually(SOON, "the other instance has received it", async || {
                (!here.exists(&id("n"), "k").await.unwrap() && here.get_bytes(&id("n"), "k").await.unwrap().is_none())
                    .then_some(())
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn a_lost_or_evicted_version_never_makes_an_old_value_valid_again() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let policy = tagged("t");
    let versions = [
        scene.keys().cache_tag(&id("t")).name,
        scene.keys().cache_namespace(&id("n")).name,
    ];
    for version in &versions {
        assert_eq!(get_or(&cache, "n", "k", &policy, 1).await, 1);
        let entry = scene.keys().cache_entry(&id("n"), "k").name;
        let old: Vec<u8> = scene.redis.query(redis::cmd("GET").arg(&entry)).await;
        let _: u64 = scene.redis.query(redis::cmd("DEL").arg(version)).await;
        assert!(!cache.exists(&id("n"), "k").await.unwrap());
        assert_eq!(get_or(&cache, "n", "k", &policy, 2).await, 2);
        // As if the entry had outlived its version: the new version is another.
        let () = scene
            .redis
            .query(redis::cmd("SET").arg(&entry).arg(old).arg("PX").arg(60_000))
            .await;
        assert!(!cache.exists(&id("n"), "k").await.unwrap());
        cache.delete(&id("n"), "k").await.unwrap();
    }
    // All data are lost while a value is computed.
    let value = during_computation(&cache, &policy, async || {
        let entry = scene.keys().cache_entry(&id("n"), "k").name;
        let _: u64 = scene.redis.query(redis::cmd("DEL").arg(&versions).arg(entry)).await;
    });
    assert_eq!(value.await, 1);
    assert_eq!(get_or(&cache, "n", "k", &policy, 3).await, 3);
}

#[actix_web::test]
async fn every_key_in_redis_expires() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let put = Put::fresh_for(Duration::from_secs(5)).tagged([id("t")]);
    get_or(
        &cache,
        "n",
        "k",
        &Policy::new(put.clone()).leased(Duration::from_secs(5)),
        1,
    )
    .await;
    cache.set(&id("n"), "l", &1, &put).await.unwrap();
    cache.ticket(&id("n"), "m", &[id("u")]).await.unwrap();
    cache.incr(&id("n"), "c", 1, Duration::from_secs(5)).await.unwrap();
    cache.invalidate(&[id("never-used")]).await.unwrap();
    let names = scene.stored("").await;
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let left: i64 = scene.redis.query(redis::cmd("PTTL").arg(&name)).await;
        assert!(left > 0 && left <= 2_000_000, "{name}: {left}");
    }
}

#[actix_web::test]
async fn a_ticket_stores_one_value_and_only_if_its_tags_stayed_valid() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let n = id("n");
    let store = async |tags: &[&str], ticket| {
        let put = minute().tagged(tags.iter().map(|tag| id(tag)));
        cache.store(&n, "k", b"1", &put, Some(ticket)).await.unwrap()
    };
    let ticket = cache.ticket(&n, "k", &[id("t")]).await.unwrap();
    assert_eq!(store(&["t"], ticket.clone()).await, Stored::Stored);
    assert_eq!(store(&["t"], ticket).await, Stored::Superseded);
    // A tag that only the computation names: it is unknown whether it was valid before.
    let ticket = cache.ticket(&n, "k", &[id("t")]).await.unwrap();
    assert_eq!(store(&["t", "late"], ticket).await, Stored::Superseded);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let ticket = cache.ticket(&n, "k", &[id("t")]).await.unwrap();
    assert_eq!(store(&["t", "late"], ticket).await, Stored::Stored);
    assert!(matches!(cache.lookup(&n, "k", &[]).await.unwrap(), Lookup::Fresh(_)));
    let ticket = cache.ticket(&n, "k", &[id("t")]).await.unwrap();
    cache.invalidate(&[id("late")]).await.unwrap();
    assert_eq!(store(&["t", "late"], ticket).await, Stored::Superseded);
    assert!(matches!(cache.lookup(&n, "k", &[]).await.unwrap(), Lookup::Miss));
}

#[actix_web::test]
async fn an_early_refresh_does_not_revive_an_invalidated_entry() {
    let scene = Scene::new().await;
    let (here, there) = (embedded(&scene).await, embedded(&scene).await);
    let policy = tagged("t");
    assert_eq!(get_or(&here, "n", "k", &policy, 1).await, 1);
    let eager = Policy {
        beta: 1e12,
        ..policy.clone()
    };
    there.invalidate(&[id("t")]).await.unwrap();
    let compute = || async { Ok::<_, Infallible>(2_u64) };
    let fetched = here.get_or_compute(&id("n"), "k", &eager, compute).await.unwrap();
    assert_eq!((fetched.value, fetched.source), (2, Source::Computed));
}

#[actix_web::test]
async fn a_follower_gets_no_value_from_before_an_invalidation_of_a_tag_named_by_the_computation() {
    let scene = Scene::new().await;
    let cache = embedded(&scene).await;
    let (n, policy) = (id("n"), Policy::new(minute()));
    cache.set(&n, "other", &1, &minute().tagged([id("t")])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    let made = |bytes: &'static str| {
        Ok::<_, Infallible>(Made {
            bytes: bytes.into(),
            put: Some(minute().tagged([id("t")])),
        })
    };
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (beginning, ending) = (Arc::clone(&begun), Arc::clone(&end));
    let before = cache.fetch(&n, "k", &policy, move || async move {
        beginning.notify_one();
        ending.notified().await;
        made("before")
    });
    let after = async {
        begun.notified().await;
        cache.invalidate(&[id("t")]).await.unwrap();
        let asking = cache.fetch(&n, "k", &policy, move || async move { made("after") });
        let ending = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            end.notify_one();
        };
        tokio::join!(asking, ending).0
    };
    let (before, after) = tokio::join!(before, after);
    assert_eq!(&before.unwrap().value[..], b"before");
    assert_eq!(&after.unwrap().value[..], b"after");
}

#[actix_web::test]
async fn keys_are_invalidated_by_pattern_page_by_page_on_all_instances() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    let entry = |key: String| json!({"key": key, "value": 1, "ttl_s": 60, "local_ms": 60_000});
    let prices: Vec<_> = (0..700).map(|n| entry(format!("price/{n}[eur]"))).collect();
    let others: Vec<_> = (0..700).map(|n| entry(format!("stock/{n}"))).collect();
    for namespace in ["n", "m"] {
        for set in [&prices, &others] {
            assert_eq!(one.post(namespace, json!({ "set": set })).await.status, 200);
        }
    }
    eventually(SOON, "the other keeps it in its process", async || {
        (other.get("n/price%2F7%5Beur%5D").await.body["level"] == "local").then_some(())
    })
    .await;
    let ticket = other.post("tickets/n/price%2Fnew%5Beur%5D", json!({})).await.body["ticket"].clone();
    let (mut invalidated, mut cursor, mut pieces) = (0, String::new(), 0);
    loop {
        let piece = one.delete(&format!("n?pattern=price%2F*%5C%5Beur%5D{cursor}")).await;
        assert_eq!(piece.status, 200, "{piece:?}");
        invalidated += piece.body["invalidated"].as_u64().unwrap();
        pieces += 1;
        let Some(next) = piece.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    // With the mark of the computation in progress.
    assert_eq!(invalidated, 701);
    assert!(pieces > 1, "{pieces}");
    assert_eq!(one.get("n/price%2F7%5Beur%5D").await.status, 404);
    eventually(SOON, "the other instance has received the invalidation", async || {
        (other.get("n/price%2F7%5Beur%5D").await.status == 404).then_some(())
    })
    .await;
    let late = json!({"value": 2, "ttl_s": 60, "ticket": ticket});
    assert_eq!(other.put("n/price%2Fnew%5Beur%5D", late).await.status, 409);
    for path in ["n/stock%2F7", "m/price%2F7%5Beur%5D"] {
        assert_eq!(other.get(path).await.status, 200, "{path}");
    }
    for (query, pointer) in [
        ("pattern=", "/pattern"),
        ("pattern=*&cursor=x", "/cursor"),
        ("cursor=1", "/cursor"),
    ] {
        one.delete(&format!("n?{query}")).await.assert_problem(422, &[pointer]);
    }
    one.delete("responses?pattern=*")
        .await
        .assert_problem(422, &["/namespace"]);
    assert_eq!(one.delete("n").await.status, 204);
}
