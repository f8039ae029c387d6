//! Checks, one after the other.

use super::{POLICIES, SLOW, allowed, ask, check, key, reset, stored};
use crate::support::Scene;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

#[actix_web::test]
async fn a_used_up_quota_is_refused_until_it_is_refilled() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, _) in POLICIES {
        for left in [2, 1, 0] {
            let answer = check(&api, policy, "login:anna", 1).await;
            let expected = (&json!(true), &json!(3), &json!(left), &json!(0));
            let shown = (
                &answer["allowed"],
                &answer["limit"],
                &answer["remaining"],
                &answer["retry_after_ms"],
            );
            assert_eq!(shown, expected, "{policy}");
            assert_eq!(answer["degraded"], Value::Null);
        }
        let refused = check(&api, policy, "login:anna", 1).await;
        assert_eq!((&refused["allowed"], &refused["remaining"]), (&json!(false), &json!(0)));
        let (wait, back) = (
            refused["retry_after_ms"].as_u64().unwrap(),
            refused["reset_ms"].as_u64().unwrap(),
        );
        // An even rate gives one back after 6 minutes and all three after 18; a window gives all back after an hour and a
        // slice.
        let expected = if policy == "even" {
            (360_000, 1_080_000)
        } else {
            (3_780_000, 3_780_000)
        };
        let is_about = |shown: u64, whole: u64| shown <= whole && shown > whole - 200_000;
        assert!(
            is_about(wait, expected.0) && is_about(back, expected.1),
            "{policy}: {refused}"
        );
    }
}

#[actix_web::test]
async fn a_cost_is_counted_whole_or_not_at_all() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, _) in POLICIES {
        assert_eq!(check(&api, policy, "k", 2).await["remaining"], 1);
        let refused = check(&api, policy, "k", 2).await;
        assert_eq!((&refused["allowed"], &refused["remaining"]), (&json!(false), &json!(1)));
        // What was refused was not counted: the last unit is still there.
        assert_eq!(check(&api, policy, "k", 1).await["allowed"], true);
        assert_eq!(check(&api, policy, "k", 1).await["allowed"], false);
        // A cost that the policy never admits would wait forever.
        let never = ask(&api, json!({"policy": policy, "key": "k", "cost": 4})).await;
        never.assert_problem(422, &["/cost"]);
        assert!(never.body["detail"].as_str().unwrap().contains("1 to 3"), "{never:?}");
    }
}

#[actix_web::test]
async fn keys_and_policies_are_independent_and_shared_by_instances() {
    let scene = Scene::new().await.with(&[SLOW]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (one, other) = (one.drivers(), other.drivers());
    for (policy, _) in POLICIES {
        for api in [&one, &other, &one] {
            assert!(allowed(api, policy, "anna").await);
        }
        assert!(
            !allowed(&other, policy, "anna").await,
            "{policy}: counted at all instances"
        );
        assert!(allowed(&other, policy, "berta").await, "{policy}: another key");
    }
}

#[actix_web::test]
async fn a_reset_affects_one_key_under_one_policy() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, _) in POLICIES {
        for name in ["anna", "berta"] {
            check(&api, policy, name, 3).await;
        }
    }
    assert_eq!(reset(&api, "even", "anna").await.status, 204);
    assert_eq!(
        reset(&api, "even", "anna").await.status,
        204,
        "also where there is nothing"
    );
    assert!(allowed(&api, "even", "anna").await);
    assert!(!allowed(&api, "even", "berta").await);
    assert!(!allowed(&api, "sliding", "anna").await);
    assert_eq!(reset(&api, "sliding", "anna").await.status, 204);
    assert!(allowed(&api, "sliding", "anna").await);
}

#[actix_web::test]
async fn units_are_refilled_over_time_and_keys_expire() {
    let limits = "--limits=even=gcra:10/500ms,burst=2; sliding=window:2/200ms";
    let scene = Scene::new().await.with(&[limits]);
    let service = scene.start().await;
    let api = service.drivers();
    for (policy, _) in POLICIES {
        check(&api, policy, "k", 2).await;
        let refused = check(&api, policy, "k", 1).await;
        assert_eq!(refused["allowed"], false, "{policy}");
        // A caller that waits for `retry_after_ms` is admitted.
        sleep(Duration::from_millis(refused["retry_after_ms"].as_u64().unwrap())).await;
        let admitted = check(&api, policy, "k", 1).await;
        assert_eq!(admitted["allowed"], true, "{policy}: {refused} {admitted}");
        sleep(Duration::from_millis(admitted["reset_ms"].as_u64().unwrap() + 5)).await;
        assert_eq!(check(&api, policy, "k", 2).await["allowed"], true, "{policy}");
    }
    sleep(Duration::from_millis(250)).await;
    assert_eq!(stored(&scene).await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_window_takes_a_fixed_number_of_bytes() {
    let scene = Scene::new().await.with(&["--limits=sliding=window:200000/200ms"]);
    let service = scene.start().await;
    let api = service.drivers();
    for _ in 0..150 {
        check(&api, "sliding", "k", 1_000).await;
        sleep(Duration::from_millis(2)).await;
    }
    let bytes: usize = scene
        .redis
        .query(cmd("STRLEN").arg(key(&scene, "window", "sliding", "k")))
        .await;
    assert_eq!(bytes, 100);
}

#[actix_web::test]
async fn the_policies_are_listed_as_configured() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    let listed = api.get("/v1/limits/policies").await;
    assert_eq!(listed.status, 200);
    let expected = json!({"policies": [
        {"name": "even", "algorithm": "gcra", "quota": 10, "window_ms": 3_600_000, "burst": 3, "fail": "open"},
        {"name": "sliding", "algorithm": "window", "quota": 3, "window_ms": 3_600_000, "fail": "closed"},
    ]});
    assert_eq!(listed.body, expected);
}

#[actix_web::test]
async fn checks_are_counted_in_the_metrics() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    for _ in 0..5 {
        check(&api, "even", "k", 1).await;
    }
    let metrics = api.request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (outcome, count) in [("allowed", 3), ("denied", 2)] {
        let line = format!("fleetpulse_limit_checks_total{{outcome=\"{outcome}\",policy=\"even\"}} {count}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}
