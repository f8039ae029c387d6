//! Filters, in every call that accepts them: they apply before the limit.

use crate::support::{Scene, now_ms};
use serde_json::{Value, json};

/// Ten drivers in a row northwards from 0° 0°, `d-0` the nearest: every second one busy, every third one a van, their
/// capacities their numbers, each a second older than the one before.
fn row() -> Vec<Value> {
    let now = now_ms();
    (0..10)
        .map(|n| {
            json!({
                "id": format!("d-{n}"), "lat": f64::from(n) * 1e-3, "lon": 0, "timestamp": now - 1_000 * i64::from(n),
                "status": if n % 2 == 0 { "busy" } else { "available" },
                "vehicle_type": if n % 3 == 0 { "van" } else { "sedan" },
                "capacity": n,
            })
        })
        .collect()
}

#[actix_web::test]
async fn the_nearest_that_pass_the_filter_are_found_in_both_sources() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place_all(&row()).await;
    // An entity without a profile passes only a filter without conditions on it.
    api.place("bare", json!({"lat": -0.000_5, "lon": 0})).await;

    let stories: [(&str, &[&str]); 9] = [
        ("limit=3", &["d-0", "bare", "d-1"]),
        ("limit=2&status=available", &["d-1", "d-3"]),
        ("limit=4&status=available&status=busy", &["d-0", "d-1", "d-2", "d-3"]),
        ("vehicle_type=van&status=available", &["d-3", "d-9"]),
        ("limit=2&vehicle_type=van&vehicle_type=bus", &["d-0", "d-3"]),
        ("limit=2&min_capacity=7", &["d-7", "d-8"]),
        ("min_capacity=0&limit=1", &["d-0"]),
        ("status=asleep", &[]),
        ("min_capacity=5&status=busy&vehicle_type=sedan", &["d-8"]),
    ];
    for source in ["live", "redis"] {
        for (filter, expected) in stories {
            let query = format!("lat=0&lon=0&source={source}&{filter}");
            assert_eq!(api.nearby(&query).await.ids(), expected, "{query}");
        }
    }
    let within = api.within("bbox=-1,-1,1,1&status=available&limit=3").await;
    assert_eq!(
        (within.ids(), &within.body["truncated"]),
        (vec!["d-1", "d-3", "d-5"], &json!(true))
    );
    let within = api.within("bbox=-1,-1,1,1&min_capacity=8").await;
    assert_eq!(
        (within.ids(), &within.body["truncated"]),
        (vec!["d-8", "d-9"], &json!(false))
    );
}

#[actix_web::test]
async fn only_fixes_within_the_maximum_age_are_returned() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let now = now_ms();
    for (id, age_ms) in [("new", 0), ("minute", 60_000), ("two", 120_000)] {
        api.place(id, json!({"lat": 0, "lon": 0, "timestamp": now - age_ms}))
            .await;
    }
    for call in [
        "nearby?lat=0&lon=0",
        "nearby?lat=0&lon=0&source=redis",
        "within?bbox=-1,-1,1,1",
    ] {
        for (max_age_s, expected) in [
            ("1000", vec!["minute", "new", "two"]),
            ("110.5", vec!["minute", "new"]),
            ("50", vec!["new"]),
        ] {
            let path = format!("/v1/drivers/{call}&max_age_s={max_age_s}");
            assert_eq!(api.get(&path).await.ids(), expected, "{path}");
        }
    }
}

#[actix_web::test]
async fn each_of_many_queries_has_its_own_filters() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place_all(&row()).await;
    let answer = api
        .nearby_many(json!([
            {"lat": 0, "lon": 0, "limit": 1},
            {"latitude": 0, "longitude": 0, "limit": 2, "status": ["available"]},
            {"lat": 0, "lng": 0, "status": "available", "vehicle_type": ["van", "bus"], "min_capacity": 4},
            {"lat": 50, "lon": 50},
            {"lat": 0, "lon": 0, "radius_m": 120, "limit": 9, "max_age_s": 100},
        ]))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (&answer.body["source"], &answer.body["stale"]),
        (&json!("live"), &json!(false))
    );
    let lists = answer.body["results"].as_array().unwrap();
    let lists: Vec<_> = lists.iter().map(crate::support::ids).collect();
    assert_eq!(
        lists,
        [vec!["d-0"], vec!["d-1", "d-3"], vec!["d-9"], vec![], vec!["d-0", "d-1"]]
    );
}

#[actix_web::test]
async fn a_changed_profile_counts_at_once() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", json!({"lat": 0, "lon": 0, "status": "available"}))
        .await;
    let available = "lat=0&lon=0&status=available";
    assert_eq!(api.nearby(available).await.ids(), ["d-1"]);
    api.patch_profile("d-1", json!({"status": "busy"})).await;
    assert!(api.nearby(available).await.ids().is_empty());
    api.patch_profile("d-1", json!({"status": "available"})).await;
    assert_eq!(api.nearby(available).await.ids(), ["d-1"]);
    api.delete_profile("d-1").await;
    assert!(api.nearby(available).await.ids().is_empty());
}
