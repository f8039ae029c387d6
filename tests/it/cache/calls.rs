//! Each call over HTTP, by two instances.

use super::{CacheApi, LISTING, SOON};
use crate::support::{Redis, Scene, eventually, send};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::json;

#[actix_web::test]
async fn an_entry_is_written_found_touched_and_deleted() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    one.get("prices/7").await.assert_problem(404, &[]);
    let body = json!({"value": {"cents": 1_999}, "ttl_s": 60, "stale_s": 30, "tags": ["product:7"]});
    assert_eq!(one.put("prices/7", body).await.status, 204);
    let found = other.get("prices/7").await;
    assert_eq!(found.status, 200, "{found:?}");
    assert_eq!(found.body["value"], json!({"cents": 1_999}));
    assert_eq!(
        (&found.body["state"], &found.body["level"]),
        (&json!("fresh"), &json!("shared"))
    );
    let ms = |member: &str| found.body[member].as_u64().unwrap();
    assert!(
        ms("ttl_ms") <= 60_000 && ms("ttl_ms") > 30_000 && ms("ends_in_ms") > 60_000,
        "{found:?}"
    );
    assert!(ms("age_ms") < 30_000);
    assert_eq!(
        other.patch("prices/7", json!({"ttl_class": "static"})).await.status,
        204
    );
    assert!(one.get("prices/7").await.body["ttl_ms"].as_u64().unwrap() > 80_000_000);
    one.patch("prices/8", json!({"ttl_s": 1}))
        .await
        .assert_problem(404, &[]);
    assert_eq!(other.delete("prices/7").await.status, 204);
    assert_eq!(other.delete("prices/7").await.status, 204);
    one.get("prices/7").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_key_is_any_percent_encoded_text() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let keys = [
        "a%2Fb", "a%20b", "%C3%BC", "a+b", "%25", "batch", "stats", "%7Bx%7D", "a:b@c",
    ];
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(
            api.put(&format!("n/{key}"), json!({"value": n, "ttl_s": 60}))
                .await
                .status,
            204,
            "{key}"
        );
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(api.get(&format!("n/{key}")).await.body["value"], n, "{key}");
    }
    let found = api.post("n", json!({"get": ["a/b", "a b", "ü", "a+b", "%"]})).await;
    let results = found.body["results"].as_array().unwrap();
    let values: Vec<_> = results.iter().map(|result| result["value"].as_u64().unwrap()).collect();
    assert_eq!(values, [0, 1, 2, 3, 4]);
}

#[actix_web::test]
async fn a_value_is_stored_exactly_as_sent() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let value = r#"{"b": 12345678901234567890123, "a":[1.10, 1e400, "\u00fc"], "b":null}"#;
    let send = async |method, path: &str, body: String| {
        let request = api.0.request(method, &format!("/v1/cache/{path}"));
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().text().await.unwrap()
    };
    let put = format!(r#"{{"value": {value}, "ttl_s": 60}}"#);
    assert_eq!(send(Method::PUT, "n/a", put).await, "");
    let batch = format!(r#"{{"set": [{{"key": "b", "value":{value}, "ttl_s": 60}}], "get": ["a", "b"]}}"#);
    let found = send(Method::POST, "n", batch).await;
    assert_eq!(found.matches(&format!(r#""value":{value},"#)).count(), 2, "{found}");
    let found = send(Method::GET, "n/b", String::new()).await;
    assert!(found.contains(&format!(r#""value":{value},"#)), "{found}");
}

#[actix_web::test]
async fn a_stale_entry_is_marked_and_expires() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let body = json!({"value": 1, "ttl_ms": 50, "stale_s": 1});
    assert_eq!(api.put("n/k", body).await.status, 204);
    eventually(SOON, "it is stale", async || {
        let found = api.get("n/k").await;
        (found.body["state"] == "stale" && found.body["ttl_ms"] == 0).then_some(())
    })
    .await;
    eventually(SOON, "it no longer exists", async || {
        (api.get("n/k").await.status == 404).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_batch_deletes_writes_and_reads_in_this_order() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    api.put("n/a", json!({"value": 1, "ttl_s": 60})).await;
    let batch = json!({
        "get": ["a", "b", "c", "d"],
        "set": [
            {"key": "b", "value": 0, "ttl_s": 60},
            {"key": "b", "value": null, "ttl_s": 60},
            {"key": "c", "value": [3], "ttl_class": "dynamic", "tags": ["t"]},
        ],
        "delete": ["a"],
    });
    let done = api.post("n", batch).await;
    assert_eq!(done.status, 200, "{done:?}");
    let results = &done.body["results"];
    assert_eq!(
        (&results[0]["key"], &results[0]["state"]),
        (&json!("a"), &json!("miss"))
    );
    assert_eq!(
        (&results[1]["state"], &results[1]["value"]),
        (&json!("fresh"), &json!(null))
    );
    assert_eq!(results[2]["value"], json!([3]));
    assert_eq!(results[3], json!({"key": "d", "state": "miss"}));
    assert_eq!(
        api.post("tags/invalidate", json!({"tags": ["t", "u"]})).await.status,
        204
    );
    assert_eq!(api.get("n/c").await.status, 404);
    assert_eq!(api.get("n/b").await.status, 200);
    assert_eq!(api.delete("n").await.status, 204);
    assert_eq!(api.get("n/b").await.status, 404);
}

#[actix_web::test]
async fn a_batch_with_a_value_that_is_too_large_does_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    api.put("n/a", json!({"value": 1, "ttl_s": 60})).await;
    let batch = json!({
        "delete": ["a"],
        "set": [
            {"key": "b", "value": 2, "ttl_s": 60},
            {"key": "c", "value": "x".repeat(1_048_576), "ttl_s": 61},
        ],
    });
    api.post("n", batch).await.assert_problem(413, &[]);
    let found = api.post("n", json!({"get": ["a", "b"]})).await;
    assert_eq!(found.body["results"][0]["value"], 1);
    assert_eq!(found.body["results"][1]["state"], "miss");
}

#[actix_web::test]
async fn a_batch_that_reads_too_much_is_cut_before_all_of_it_is_read() {
    let scene = Scene::on(Redis::forgetful().await);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    let large = "x".repeat(1_000_000);
    let keys: Vec<_> = (0..32).map(|n| format!("k{n}")).collect();
    for key in &keys {
        assert_eq!(api.put(&format!("n/{key}"), json!({"value": large})).await.status, 204);
    }
    let sent = async || {
        let stats: String = scene.redis.query(redis::cmd("INFO").arg("stats")).await;
        let sent = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        sent.unwrap().parse::<u64>().unwrap()
    };
    let before = sent().await;
    let found = api.post("n", json!({ "get": keys })).await;
    let results = found.body["results"].as_array().unwrap();
    assert_eq!((results.len(), &found.body["truncated"]), (4, &json!(true)));
    let sent = sent().await - before;
    assert!((4_000_000..12_000_000).contains(&sent), "{sent}");
    // The others exist as well.
    let found = api.post("n", json!({ "get": keys[4..7] })).await;
    let results = found.body["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["value"] == large.as_str()));
    assert_eq!(found.body.get("truncated"), None);
}

#[actix_web::test]
async fn a_counter_is_shared_by_all_instances_and_its_expiry_is_set_once() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (CacheApi::of(&one), CacheApi::of(&other));
    one.get("counters/n/c").await.assert_problem(404, &[]);
    let first = one.post("counters/n/c", json!({"by": 5, "ttl_s": 60})).await;
    assert_eq!((first.status, &first.body["value"]), (200, &json!(5)));
    assert_eq!(first.body["ends_in_ms"], 60_000);
    let second = other.post("counters/n/c", json!({"by": -2, "ttl_s": 6_000})).await;
    assert_eq!(second.body["value"], 3);
    assert!(second.body["ends_in_ms"].as_u64().unwrap() <= 60_000, "{second:?}");
    assert_eq!(other.get("counters/n/c").await.body["value"], 3);
    // It is not an entry, and is not cleared with the namespace.
    assert_eq!(one.get("n/c").await.status, 404);
    let most = json!({"by": 9_007_199_254_740_991_i64});
    one.post("counters/n/c", most).await.assert_problem(409, &[]);
    assert_eq!(one.get("counters/n/c").await.body["value"], 3);
    assert_eq!(one.delete("counters/n/c").await.status, 204);
    assert_eq!(one.get("counters/n/c").await.status, 404);
    let short = one.post("counters/n/c", json!({"ttl_ms": 30})).await;
    assert_eq!(short.body["value"], 1);
    eventually(SOON, "it has expired", async || {
        (one.get("counters/n/c").await.status == 404).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn keys_are_listed_in_pages_with_the_token() {
    let scene = Scene::new().await;
    let closed = scene.start().await;
    CacheApi::of(&closed).list("n").await.assert_problem(403, &[]);
    let scene = scene.with(&LISTING);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    api.get("n").await.assert_problem(401, &[]);
    for bad in ["Bearer wrong", "Basic 0123456789abcdefghijkl", "0123456789abcdefghijkl"] {
        let request = api.0.request(Method::GET, "/v1/cache/n").header(AUTHORIZATION, bad);
        send(request).await.assert_problem(401, &[]);
    }
    let set: Vec<_> = (0..500).map(|n| json!({"key": format!("a*{n}"), "value": n})).collect();
    assert_eq!(api.post("n", json!({ "set": set })).await.status, 200);
    api.put("n2/a*1", json!({"value": 1})).await;
    for (pattern, expected) in [("", 500), ("&pattern=a%5C*1*", 111), ("&pattern=b*", 0)] {
        let (mut found, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let page = api.list(&format!("n?cursor={cursor}{pattern}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            found.extend(page.body["keys"].as_array().unwrap().iter().map(ToString::to_string));
            let Some(next) = page.body["next"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), expected, "{pattern}");
    }
}

#[actix_web::test]
async fn the_stats_distinguish_namespaces_and_levels() {
    let scene = Scene::new().await.with(&["--workers=1"]);
    let service = scene.start().await;
    let api = CacheApi::of(&service);
    // A namespace in which nothing was ever stored has no counts of its own, because clients can read any name.
    api.get("a/k").await;
    api.put("a/k", json!({"value": "xy", "ttl_s": 60})).await;
    api.get("a/k").await;
    api.get("a/other").await;
    api.put("b/k", json!({"value": 1, "ttl_s": 60, "local_ms": 5_000}))
        .await;
    eventually(SOON, "it is kept in the process", async || {
        (api.get("b/k").await.body["level"] == "local").then_some(())
    })
    .await;
    let stats = api.get("stats").await;
    assert_eq!(stats.status, 200);
    let (a, b) = (&stats.body["namespaces"]["a"], &stats.body["namespaces"]["b"]);
    assert_eq!(
        (&a["misses"], &a["shared_hits"], &a["stored"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        (&a["shared_served_bytes"], &a["stored_bytes"], &a["local_hits"]),
        (&json!(4), &json!(4), &json!(0))
    );
    assert!(
        b["local_hits"].as_u64().unwrap() >= 1 && b["local_bytes"].as_u64().unwrap() > 0,
        "{stats:?}"
    );
    assert_eq!(stats.body["namespaces"]["*"]["misses"], 1);
    assert_eq!(stats.body["local"]["entries"], 1);
    assert_eq!(stats.body["local"]["listening"], true);
    assert_eq!(stats.body["total"]["stored"], 2);
    let metrics = api.0.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("fleetpulse_cache_reads_total{outcome=\"miss\"} 2"),
        "{metrics}"
    );
}
