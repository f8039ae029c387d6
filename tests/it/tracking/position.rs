//! One entity's fix: stored, read, overtaken, forgotten.

use crate::support::{Scene, now_ms};
use fleetpulse::tracking::input::parse_rfc3339;
use futures_util::future::join_all;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_driver_reports_and_is_read_back() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 1_500;
    let fix = json!({
        "lat": 40.748_433, "lon": -73.985_656, "timestamp": at,
        "accuracy_m": 4.5, "altitude_m": -12.25, "speed_mps": 13.5, "heading_deg": 271.5,
        "battery": {"percent": 80}, // Not ours; to be ignored.
    });
    api.place("d:1@nyc.taxi_7-B", fix).await;

    let read = api.position("d:1@nyc.taxi_7-B").await;
    assert_eq!((read.status, &*read.content_type), (200, "application/json"));
    let mut body = read.body;
    let age_ms = body["age_ms"].take().as_i64().unwrap();
    assert!((1_500..60_000).contains(&age_ms), "{age_ms}");
    let told = body["timestamp"].take();
    assert_eq!(parse_rfc3339(told.as_str().unwrap()), Some(at));
    assert!(
        told.as_str().unwrap().ends_with('Z') && told.as_str().unwrap().len() == 24,
        "{told}"
    );
    assert_eq!(
        body,
        json!({
            "id": "d:1@nyc.taxi_7-B", "lat": 40.748_433, "lon": -73.985_656, "age_ms": null, "timestamp": null,
            "accuracy_m": 4.5, "altitude_m": -12.25, "speed_mps": 13.5, "heading_deg": 271.5,
        })
    );
}

#[actix_web::test]
async fn the_names_that_existing_apps_send_are_understood() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fixes = [
        json!({"latitude": 1.5, "longitude": 2.5, "accuracy": 3, "altitude": 4, "speed": 5, "heading": 6}),
        json!({"lat": 1.5, "lng": 2.5, "accuracy_m": 3, "altitude": 4, "speed_mps": 5, "bearing": 6}),
    ];
    for fix in fixes {
        api.place("d-1", fix).await;
        let read = api.position("d-1").await.body;
        for (name, value) in [
            ("lat", 1.5),
            ("lon", 2.5),
            ("accuracy_m", 3.0),
            ("altitude_m", 4.0),
            ("speed_mps", 5.0),
            ("heading_deg", 6.0),
        ] {
            assert_eq!(read[name], value, "{name}");
        }
        api.forget("d-1").await;
    }
    // One value under two names is two values.
    let twice = api.post_fix("d-1", json!({"lat": 1, "latitude": 1, "lon": 2})).await;
    twice.assert_problem(422, &["/lat"]);
}

#[actix_web::test]
async fn times_come_as_rfc_3339_as_milliseconds_and_as_seconds() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let second = now_ms() / 1_000 - 5;
    let rfc3339 = |text: &str| text.replace('?', &second_of(second));
    let spellings: [(Value, i64); 6] = [
        (json!(second), second * 1_000),
        (json!(second * 1_000 + 123), second * 1_000 + 123),
        (
            serde_json::from_str(&format!("{second}.25")).unwrap(),
            second * 1_000 + 250,
        ),
        (json!(rfc3339("?.456Z")), second * 1_000 + 456),
        (json!(rfc3339("?+00:00")), second * 1_000),
        // An hour east of Greenwich the clock shows an hour more.
        (
            json!(format!("{}.789+01:00", second_of(second + 3_600))),
            second * 1_000 + 789,
        ),
    ];
    for (n, (timestamp, expected)) in spellings.iter().enumerate() {
        let id = format!("d-{n}");
        api.place(&id, json!({"lat": 1, "lon": 2, "timestamp": timestamp}))
            .await;
        let told = api.position(&id).await.body["timestamp"].take();
        assert_eq!(parse_rfc3339(told.as_str().unwrap()), Some(*expected), "{timestamp}");
    }
    let before = now_ms();
    api.place("d-now", json!({"lat": 1, "lon": 2, "timestamp": null})).await;
    let told = api.position("d-now").await.body["timestamp"].take();
    let told = parse_rfc3339(told.as_str().unwrap()).unwrap();
    assert!((before..=now_ms()).contains(&told));
}

/// A second of Unix time as RFC 3339 without its offset.
fn second_of(unix_s: i64) -> String {
    chrono::DateTime::from_timestamp_secs(unix_s)
        .unwrap()
        .format("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

#[actix_web::test]
async fn an_older_fix_is_stale_and_an_equally_old_one_corrects() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 10_000;
    api.place("d-1", json!({"lat": 10, "lon": 20, "timestamp": at})).await;

    let stale = api
        .post_fix("d-1", json!({"lat": 11, "lon": 21, "timestamp": at - 1}))
        .await;
    assert_eq!((stale.status, &stale.body), (200, &json!({"outcome": "stale"})));
    assert_eq!(api.position("d-1").await.body["lat"], 10.0);

    api.place("d-1", json!({"lat": 12, "lon": 22, "timestamp": at})).await;
    assert_eq!(api.position("d-1").await.body["lat"], 12.0);
    api.place("d-1", json!({"lat": 13, "lon": 23, "timestamp": at + 1}))
        .await;
    assert_eq!(api.position("d-1").await.body["lat"], 13.0);
}

#[actix_web::test]
async fn a_forgotten_driver_is_gone_at_once_and_only_a_newer_fix_brings_him_back() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let near = "lat=10&lon=20&radius_m=100";
    let late = now_ms();
    api.place("d-1", json!({"lat": 10, "lon": 20})).await;
    assert_eq!(api.forget("d-1").await.status, 204);

    api.position("d-1").await.assert_problem(404, &[]);
    assert!(api.nearby(near).await.ids().is_empty());
    assert!(api.nearby(&format!("{near}&source=redis")).await.ids().is_empty());
    assert!(api.within("bbox=19,9,21,11").await.ids().is_empty());

    // Taken before the removal, come after it.
    let answer = api
        .post_fix("d-1", json!({"lat": 10, "lon": 20, "timestamp": late - 1}))
        .await;
    assert_eq!(answer.body, json!({"outcome": "stale"}));
    api.position("d-1").await.assert_problem(404, &[]);

    api.place("d-1", json!({"lat": 10, "lon": 20, "timestamp": now_ms() + 1_000}))
        .await;
    assert_eq!(api.nearby(near).await.ids(), ["d-1"]);
    // Nobody is forgotten as well.
    assert_eq!(api.forget("d-2").await.status, 204);
}

#[actix_web::test]
async fn the_kinds_do_not_know_each_other() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    for (kind, lat) in [("drivers", 1), ("vehicles", 2), ("users", 3)] {
        service.api(kind).place("one", json!({"lat": lat, "lon": 0})).await;
    }
    service.api("vehicles").forget("one").await;
    assert_eq!(service.api("drivers").position("one").await.body["lat"], 1.0);
    assert_eq!(service.api("vehicles").position("one").await.status, 404);
    assert_eq!(service.api("users").nearby("lat=3&lon=0").await.ids(), ["one"]);
}

#[actix_web::test]
async fn what_is_not_a_fix_is_told_field_by_field_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let now = now_ms();
    let faults: [(Value, &[&str]); 12] = [
        (json!({}), &["/lat", "/lon"]),
        (json!({"lat": 1}), &["/lon"]),
        (json!({"lat": 85.051_128_79, "lon": 0}), &["/lat"]),
        (json!({"lat": 0, "lon": -180.000_001}), &["/lon"]),
        (json!({"lat": "NaN", "lon": true}), &["/lat", "/lon"]),
        (json!({"lat": 1, "lon": 1, "heading_deg": 360}), &["/heading_deg"]),
        (
            json!({"lat": 1, "lon": 1, "speed": -1, "accuracy": [1]}),
            &["/accuracy_m", "/speed_mps"],
        ),
        (json!({"lat": 1, "lon": 1, "timestamp": now + 65_000}), &["/timestamp"]),
        (json!({"lat": 1, "lon": 1, "timestamp": now - 300_000}), &["/timestamp"]),
        (json!({"lat": 1, "lon": 1, "timestamp": "yesterday"}), &["/timestamp"]),
        (
            json!({"lat": 1, "lon": 1, "capacity": -1, "status": ""}),
            &["/status", "/capacity"],
        ),
        (json!([{"lat": 1, "lon": 1}]), &[""]),
    ];
    for (fix, fields) in faults {
        api.post_fix("d-1", fix).await.assert_problem(422, fields);
    }
    api.post_fix("d%201", json!({"lat": 1, "lon": 1}))
        .await
        .assert_problem(422, &["/id"]);
    assert_eq!(api.position("d-1").await.status, 404);
    // The limits themselves are in.
    for (n, (lat, lon)) in [(85.051_128_78, 180.0), (-85.051_128_78, -180.0)]
        .into_iter()
        .enumerate()
    {
        api.place(
            &format!("edge-{n}"),
            json!({"lat": lat, "lon": lon, "timestamp": now - 290_000}),
        )
        .await;
    }
}

#[actix_web::test]
async fn the_first_fixes_after_a_start_are_stored_by_every_worker() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let service = scene.start_process_unready().await;
        // A connection each, so that every worker gets some.
        let senders = (0..16).map(|n| {
            let api = service.drivers();
            async move { api.place(&format!("d-{n}"), json!({"lat": 1, "lon": 1})).await }
        });
        join_all(senders).await;
    }
}
