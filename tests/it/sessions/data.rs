//! The data of a session, and their changes.

use super::Calls;
use crate::support::Scene;
use futures_util::future::join_all;
use serde_json::json;

#[actix_web::test]
async fn a_patch_merges_and_counts_its_versions() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    let data = json!({"cart": {"sku": "s-1", "n": 2}, "locale": "de", "empty": [], "big": 9_007_199_254_740_993_u64, "x": 0.1});
    let opened = calls.open_as(json!({"subject": "anna", "data": data})).await;
    let patch = json!({"cart": {"n": 3, "sku": null}, "locale": null, "seen": true});
    let merged = calls.patch(&opened.token, 1, patch).await;
    let expected = json!({"cart": {"n": 3}, "empty": [], "big": 9_007_199_254_740_993_u64, "x": 0.1, "seen": true});
    assert_eq!(
        (merged.status, &merged.body["data"], &merged.body["version"]),
        (200, &expected, &json!(2))
    );
    assert_eq!(calls.get(&opened.token).await.body["data"], expected);
    // The data cannot change the session itself.
    let patch = json!({"subject": "else", "role": "admin", "version": 99, "token": "x"});
    let merged = calls.patch(&opened.token, 2, patch).await.body;
    assert_eq!(
        (&merged["subject"], &merged["version"], merged.get("role")),
        (&json!("anna"), &json!(3), None)
    );
    assert_eq!(merged["data"]["role"], "admin");
}

#[actix_web::test]
async fn the_second_of_two_changes_of_one_version_is_a_conflict() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (Calls::of(&one), Calls::of(&other));
    let token = one.open("anna").await.token;
    assert_eq!(one.patch(&token, 1, json!({"a": 1})).await.status, 200);
    for version in [1, 3, 9_007_199_254_740_991] {
        let conflict = other.patch(&token, version, json!({"a": 2})).await;
        conflict.assert_problem(409, &[]);
        assert_eq!(conflict.body["version"], 2, "{conflict:?}");
        assert_eq!(conflict.body["type"], "urn:fleetpulse:problem:version_conflict");
    }
    assert_eq!(one.get(&token).await.body["data"], json!({"a": 1}));
}

#[actix_web::test]
async fn no_concurrent_update_is_lost() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let instances = [Calls::of(&one), Calls::of(&other)];
    let token = instances[0]
        .open_as(json!({"subject": "anna", "data": {"n": 0}}))
        .await
        .token;
    let count = async |n: usize| {
        let calls = &instances[n % 2];
        loop {
            let read = calls.get(&token).await.body;
            let next = json!({"n": read["data"]["n"].as_u64().unwrap() + 1, format!("by-{n}"): true});
            let written = calls.patch(&token, read["version"].as_u64().unwrap(), next).await;
            match written.status {
                200 => return,
                409 => {}
                _ => panic!("{written:?}"),
            }
        }
    };
    join_all((0..24).map(count)).await;
    let read = instances[0].get(&token).await.body;
    assert_eq!((&read["data"]["n"], &read["version"]), (&json!(24), &json!(25)));
    assert_eq!(read["data"].as_object().unwrap().len(), 25);
}

#[actix_web::test]
async fn data_are_limited_to_16_kib_in_every_call() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let calls = Calls::of(&service);
    // {"d":"…"} has eight characters around its text.
    let of = |bytes: usize| json!({"d": "x".repeat(bytes - 8)});
    let token = calls
        .open_as(json!({"subject": "anna", "data": of(16_384)}))
        .await
        .token;
    assert_eq!(calls.get(&token).await.body["data"], of(16_384));
    calls
        .create(json!({"subject": "anna", "data": of(16_385)}))
        .await
        .assert_problem(422, &["/data"]);
    calls
        .patch(&token, 1, json!({"e": 1}))
        .await
        .assert_problem(422, &["/data"]);
    calls.patch(&token, 1, of(16_385)).await.assert_problem(422, &["/data"]);
    let after = calls.get(&token).await.body;
    assert_eq!((&after["data"], &after["version"]), (&of(16_384), &json!(1)));
    assert_eq!(calls.patch(&token, 1, json!({"d": null, "e": 1})).await.status, 200);
}
