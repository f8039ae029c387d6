//! Values that are computed elsewhere and written over HTTP.

use super::{CacheApi, SOON};
use crate::support::{Answer, Proxy, Scene, Service, eventually};
use serde_json::{Value, json};

async fn ticket(api: &CacheApi, path: &str, body: Value) -> Value {
    let answer = api.post(&format!("tickets/{path}"), body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["expires_in_ms"], 300_000);
    answer.body["ticket"].clone()
}

fn value(n: u32, ticket: &Value) -> Value {
    json!({"value": n, "ttl_s": 60, "tags": ["product:7"], "ticket": ticket})
}

#[track_caller]
fn assert_is(answer: &Answer, kind: &str) {
    answer.assert_problem(409, &[]);
    let said = answer.body["type"].as_str().unwrap();
    assert!(said.ends_with(&format!(":{kind}")), "{said}");
}

#[actix_web::test]
async fn a_value_computed_before_an_invalidation_is_not_stored_after_it() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    let tagged = || json!({"tags": ["product:7"]});
    for happens in ["tag", "key", "namespace", "write", "event"] {
        let before = ticket(&one, "n/k", tagged()).await;
        let change = match happens {
            "tag" => other.post("tags/invalidate", tagged()).await,
            "key" => other.delete("n/k").await,
            "namespace" => other.delete("n").await,
            _ => other.put("n/k", json!({"value": 0, "ttl_s": 60})).await,
        };
        assert_eq!(change.status, 204, "{happens}");
        assert_is(&other.put("n/k", value(1, &before)).await, "cache_superseded");
        let found = one.get("n/k").await;
        assert!(found.status == 404 || found.body["value"] == 0, "{happens}: {found:?}");
        // Computed again it is stored, once.
        let after = ticket(&other, "n/k", tagged()).await;
        assert_eq!(one.put("n/k", value(2, &after)).await.status, 204, "{happens}");
        assert_eq!(other.get("n/k").await.body["value"], 2);
        assert_is(&one.put("n/k", value(3, &after)).await, "cache_superseded");
        assert_eq!(other.get("n/k").await.body["value"], 2);
    }
    // This includes invalidations between the arrival of a value and its reading.
    other.post("tags/invalidate", tagged()).await;
    one.get("n/k").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn one_client_computes_and_the_others_retry() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    let leased = || json!({"lease_ms": 60_000});
    let mine = ticket(&one, "n/k", leased()).await;
    let refused = other.post("tickets/n/k", leased()).await;
    assert_is(&refused, "cache_leased");
    let wait = refused.body["retry_after_ms"].as_u64().unwrap();
    assert!(wait > 30_000 && wait <= 60_000, "{wait}");
    // Another key is independent.
    ticket(&other, "n/l", leased()).await;
    let value = json!({"value": 1, "ttl_s": 60, "ticket": mine});
    assert_eq!(other.put("n/k", value).await.status, 204);
    // The value ended the lease.
    ticket(&other, "n/k", leased()).await;
}

#[actix_web::test]
async fn an_invalid_ticket_is_refused_and_nothing_is_written() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let good = ticket(&api, "n/k", json!({})).await;
    let before = scene.stored_for_callers().await;
    let cut = &good.as_str().unwrap()[1..];
    for bad in [json!(""), json!("%"), json!(7), json!(cut), json!("A".repeat(9_000))] {
        api.put("n/k", value(1, &bad)).await.assert_problem(422, &["/ticket"]);
    }
    let set = json!({"set": [{"key": "k", "value": 1, "ticket": good}]});
    api.post("n", set).await.assert_problem(422, &["/set/0/ticket"]);
    for (body, pointer) in [
        (json!({"lease_ms": -1}), "/lease_ms"),
        (json!({"lease_ms": 300_001}), "/lease_ms"),
        (json!({"tags": ["a b"]}), "/tags/0"),
        (json!({"tags": vec!["t"; 33]}), "/tags"),
    ] {
        api.post("tickets/n/k", body).await.assert_problem(422, &[pointer]);
    }
    api.post("tickets/responses/k", json!({}))
        .await
        .assert_problem(422, &["/namespace"]);
    // A ticket of another key is not valid there.
    assert_is(&api.put("n/other", value(1, &good)).await, "cache_superseded");
    assert_eq!(
        scene.stored_for_callers().await.len(),
        before.len() + 1,
        "the version of a tag"
    );
    api.get("n/k").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_lease_ends_if_the_value_cannot_be_stored_during_an_outage() {
    let scene = Scene::new().await.with(&["--redis-timeout=300"]);
    let proxy = Proxy::to(&scene.redis.url()).await;
    let mut args = scene.args();
    args.extend([format!("--redis-url={}", proxy.url()), "--workers=1".to_owned()]);
    let (cut_off, other) = (Service::start(&args).await, scene.start().await);
    let (cut_off, other) = (CacheApi::of(&cut_off), CacheApi::of(&other));
    let leased = || json!({"lease_ms": 300_000});
    let mine = ticket(&cut_off, "n/k", leased()).await;
    proxy.keep_back("n/k");
    let cutting = async {
        proxy.keeps_something().await;
        proxy.cut();
        proxy.let_go().await;
    };
    let value = json!({"value": 1, "ttl_s": 60, "ticket": mine});
    let (stored, ()) = tokio::join!(cut_off.put("n/k", value), cutting);
    stored.assert_problem(503, &[]);
    assert_is(&other.post("tickets/n/k", leased()).await, "cache_leased");
    proxy.mend();
    // Well before its end.
    eventually(SOON, "another computes", async || {
        let answer = other.post("tickets/n/k", leased()).await;
        (answer.status == 201).then_some(())
    })
    .await;
}
