//! Events of other services, applied by the rules on all instances.

use super::{CacheApi, SOON, id};
use crate::support::{Scene, eventually, now_ms};
use serde_json::json;

const RULES: &str = "--cache-rules=product.updated=tag:product:{id},key:prices/{id}/eur; catalog.*=namespace:catalog";

#[actix_web::test]
async fn an_event_invalidates_by_the_rules_on_all_instances() {
    let scene = Scene::new().await.with(&[RULES]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    let local = json!({"value": 1, "ttl_s": 60, "local_ms": 60_000});
    let in_tag = json!({"value": 1, "ttl_s": 60, "local_ms": 60_000, "tags": ["product:7"]});
    for (path, body) in [
        ("pages/p", in_tag),
        ("prices/7%2Feur", local.clone()),
        ("catalog/all", local.clone()),
        ("n/k", local),
    ] {
        assert_eq!(one.put(path, body).await.status, 204);
        eventually(SOON, "the other keeps it in its process", async || {
            (other.get(path).await.body["level"] == "local").then_some(())
        })
        .await;
    }
    let answer = one
        .post(
            "events",
            json!({"type": "product.updated", "entity_id": "7", "timestamp": now_ms() + 1}),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.body),
        (200, &json!({"targets": 2, "invalidated": 2}))
    );
    for path in ["pages/p", "prices/7%2Feur"] {
        assert_eq!(one.get(path).await.status, 404);
        eventually(SOON, "the other instance has received it", async || {
            (other.get(path).await.status == 404).then_some(())
        })
        .await;
    }
    assert_eq!(other.get("catalog/all").await.status, 200);
    let answer = other
        .post("events", json!({"type": "catalog.moved", "entity_id": "x"}))
        .await;
    assert_eq!(answer.body, json!({"targets": 1, "invalidated": 1}));
    assert_eq!(other.get("catalog/all").await.status, 404);
    assert_eq!(other.get("n/k").await.status, 200);
    let answer = other
        .post("events", json!({"type": "weather.changed", "entity_id": "x"}))
        .await;
    assert_eq!(answer.body, json!({"targets": 0, "invalidated": 0}));
}

#[actix_web::test]
async fn an_event_older_than_what_it_would_invalidate_does_nothing() {
    let scene = Scene::new().await.with(&[RULES]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let before = now_ms() - 1_000;
    api.put("pages/p", json!({"value": 1, "ttl_s": 60, "tags": ["product:7"]}))
        .await;
    api.put("prices/7%2Feur", json!({"value": 1, "ttl_s": 60})).await;
    api.put("catalog/all", json!({"value": 1, "ttl_s": 60})).await;
    let event = |kind: &str, timestamp: i64| json!({"type": kind, "entity_id": "7", "timestamp": timestamp});
    for _ in 0..2 {
        api.post("events", event("product.updated", before)).await;
        api.post("events", event("catalog.updated", before)).await;
        for path in ["pages/p", "prices/7%2Feur", "catalog/all"] {
            assert_eq!(api.get(path).await.status, 200, "{path}");
        }
    }
    // A newer event invalidates the entry, and does not affect entries that are written afterwards.
    let now = now_ms();
    api.post("events", event("product.updated", now)).await;
    assert_eq!(api.get("pages/p").await.status, 404);
    eventually(SOON, "the clock has advanced", async || {
        (now_ms() > now + 1).then_some(())
    })
    .await;
    api.put("pages/p", json!({"value": 2, "ttl_s": 60, "tags": ["product:7"]}))
        .await;
    api.post("events", event("product.updated", now)).await;
    assert_eq!(api.get("pages/p").await.body["value"], 2);
}

#[actix_web::test]
async fn an_event_is_published_even_if_redis_has_nothing_to_remove() {
    let scene = Scene::new().await.with(&[RULES, "--cache-local-ttl=60000"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    let body = json!({"value": 1, "ttl_s": 60, "local_ms": 60_000, "tags": ["product:7"]});
    for path in ["prices/7%2Feur", "pages/p"] {
        one.put(path, body.clone()).await;
        eventually(SOON, "the other keeps it in its process", async || {
            (other.get(path).await.body["level"] == "local").then_some(())
        })
        .await;
    }
    // Redis evicts both the entry and the version that the other one depends on.
    let keys = scene.keys();
    let (entry, version) = (
        keys.cache_entry(&id("prices"), "7/eur"),
        keys.cache_tag(&id("product:7")),
    );
    for key in [entry, version] {
        let _: i64 = scene.redis.query(redis::cmd("DEL").arg(key.name)).await;
    }
    let event = json!({"type": "product.updated", "entity_id": "7"});
    assert_eq!(one.post("events", event).await.body["invalidated"], 0);
    for path in ["prices/7%2Feur", "pages/p"] {
        eventually(SOON, "the other instance has received it", async || {
            (other.get(path).await.status == 404).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn rules_use_other_members_of_an_event() {
    let rules = "--cache-rules=moved=tag:{entity_type}:{id},key:zones/{data.zone}";
    let scene = Scene::new().await.with(&[rules]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    api.put("pages/p", json!({"value": 1, "ttl_s": 60, "tags": ["scooter:7"]}))
        .await;
    api.put("zones/12", json!({"value": 1, "ttl_s": 60})).await;
    let event = |more: serde_json::Value| {
        let mut event = json!({"type": "moved", "entity_id": "7", "timestamp": now_ms() + 1});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for (more, pointer) in [
        (
            json!({"entity_type": "scooter", "data": {"region": "eu"}}),
            "/data/zone",
        ),
        (json!({"data": {"zone": "12"}}), "/entity_type"),
        (json!({"entity_type": "scooter", "data": [12]}), "/data"),
        (json!({"entity_type": "a b", "data": {"zone": 12}}), "/entity_type"),
    ] {
        api.post("events", event(more)).await.assert_problem(422, &[pointer]);
        assert_eq!(api.get("pages/p").await.status, 200, "nothing is invalidated");
    }
    let answer = api
        .post(
            "events",
            event(json!({"entity_type": "scooter", "data": {"zone": 12, "more": [null]}})),
        )
        .await;
    assert_eq!(answer.body, json!({"targets": 2, "invalidated": 2}));
    for path in ["pages/p", "zones/12"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
}
