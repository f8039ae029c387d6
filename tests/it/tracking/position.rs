//! One entity's fix: stored, read, replaced, deleted.

use crate::support::{Api, Document, Scene, now_ms, send};
use fleetpulse::tracking::input::parse_rfc3339;
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_position_is_reported_and_read() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 1_500;
    let fix = json!({
        "lat": 40.748_433, "lon": -73.985_656, "timestamp": at,
        "accuracy_m": 4.5, "altitude_m": -12.25, "speed_mps": 13.5, "heading_deg": 271.5,
        "battery": {"percent": 80}, // Unknown; ignored.
    });
    api.place("d:1@nyc.taxi_7-B", fix).await;

    let read = api.position("d:1@nyc.taxi_7-B").await;
    assert_eq!((read.status, &*read.content_type), (200, "application/json"));
    let mut body = read.body;
    let age_ms = body["age_ms"].take().as_i64().unwrap();
    assert!((1_500..60_000).contains(&age_ms), "{age_ms}");
    let timestamp = body["timestamp"].take();
    assert_eq!(parse_rfc3339(timestamp.as_str().unwrap()), Some(at));
    assert!(
        timestamp.as_str().unwrap().ends_with('Z') && timestamp.as_str().unwrap().len() == 24,
        "{timestamp}"
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
async fn member_names_of_existing_apps_are_accepted() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fixes = [
        json!({"latitude": 1.5, "longitude": 2.5, "accuracy": 3, "altitude": 4, "speed": 5, "heading": 6}),
        json!({"lat": 1.5, "lng": 2.5, "accuracy_m": 3, "altitude": 4, "speed_mps": 5, "bearing": 6}),
        json!({"Lat": 1.5, "LON": 2.5, "acc": 3, "alt": "4", "speed": "5.0", "course": 366}),
        json!({"lat": 1.5, "latitude": 9, "lon": 2.5, "accuracy": 3, "alt": 4, "speed": 5, "heading": null, "bearing": 6}),
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
}

#[actix_web::test]
async fn the_time_is_accepted_under_the_names_of_devices() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let at = now_ms() - 60_000;
    let stored_ms = async |id: &str| {
        let timestamp = api.position(id).await.body["timestamp"].take();
        parse_rfc3339(timestamp.as_str().unwrap())
    };
    for name in [
        "timestamp",
        "timestamp_ms",
        "time",
        "ts",
        "tst",
        "recorded_at",
        "Timestamp",
        "TIME",
    ] {
        api.place(name, json!({"lat": 1, "lon": 2, name: at})).await;
        assert_eq!(stored_ms(name).await, Some(at), "{name}");
    }
    // A member under two names, as OwnTracks and its bridges send it; the first in the order above counts.
    api.place(
        "twice",
        json!({"lat": 1, "lon": 2, "ts": now_ms(), "time": at, "timestamp": null}),
    )
    .await;
    assert_eq!(stored_ms("twice").await, Some(at));
}

#[actix_web::test]
async fn unknown_and_unusual_values_do_not_prevent_the_position() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (n, odd) in [
        json!({"speed": -1}),
        json!({"heading": -1}),
        json!({"accuracy": -1}),
        json!({"heading": 360}),
        json!({"heading": -90}),
        json!({"heading_deg": 359.999_99}),
        json!({"heading": null, "bearing": 90}),
        json!({"capacity": 4.0}),
        json!({"speed": "12.5"}),
        json!({"lon": 180.000_000_1}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut fix = json!({"lat": 1, "lon": 2});
        fix.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        api.place(&format!("d-{n}"), fix).await;
    }
    let of = async |id: &str, member: &str| api.position(id).await.body[member].take();
    assert_eq!(of("d-0", "speed_mps").await, Value::Null);
    assert_eq!(of("d-1", "heading_deg").await, Value::Null);
    assert_eq!(of("d-3", "heading_deg").await, 0.0);
    assert_eq!(of("d-4", "heading_deg").await, 270.0);
    assert_eq!(of("d-6", "heading_deg").await, 90.0);
    assert_eq!(of("d-7", "capacity").await, 4);
    assert_eq!(of("d-8", "speed_mps").await, 12.5);
    assert!(of("d-5", "heading_deg").await.as_f64().unwrap() < 360.0);
    assert!(of("d-9", "lon").await.as_f64().unwrap() < -179.9);
}

#[actix_web::test]
async fn unusable_members_are_dropped_with_a_warning() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = Document::of(&api).await;
    let now = now_ms();
    let fix = json!({
        "lat": 1, "lon": 2, "timestamp": now, "speed": "fast", "heading": 45, "status": "",
        "attributes": {"battery": {"level": 0.5}, "wifi": true},
    });
    let stored = api.post_fix("d-1", fix.clone()).await;
    document.has("post /v1/{kind}/{id}/position", 200, &stored.body);
    assert_eq!((stored.status, &stored.body["outcome"]), (200, &json!("stored")));
    let warnings = stored.body["warnings"].as_array().unwrap();
    let pointers: Vec<_> = warnings.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/speed_mps", "/status", "/attributes/battery"]);
    assert!(warnings.iter().all(|one| !one["detail"].as_str().unwrap().is_empty()));
    let read = api.position("d-1").await.body;
    assert_eq!((&read["heading_deg"], &read["speed_mps"]), (&json!(45.0), &Value::Null));
    assert_eq!(read["attributes"], json!({"wifi": true}));

    let mut older = fix;
    older["timestamp"] = json!(now - 1);
    let stale = api.post_fix("d-1", older).await;
    assert_eq!((stale.status, &stale.body["outcome"]), (200, &json!("stale")));
    assert_eq!(stale.body["warnings"].as_array().unwrap().len(), 3);

    // One name given twice is ambiguous JSON; except for id, place and time it is only a warning.
    let twice = r#"{"lat": 1, "lon": 2, "speed": 3, "speed": 4}"#;
    let request = api.request(Method::POST, "/v1/drivers/d-2/position").body(twice);
    let twice = send(request.header(CONTENT_TYPE, "application/json")).await;
    assert_eq!(twice.body["warnings"][0]["pointer"], "/speed_mps");
    assert_eq!(api.position("d-2").await.body["speed_mps"], 3.0);
}

#[actix_web::test]
async fn the_first_of_too_many_attributes_are_kept() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let attributes: Value = (0..40)
        .map(|n| (format!("a{n:02}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let answer = api
        .post_fix("d-1", json!({"lat": 1, "lon": 2, "attributes": attributes}))
        .await;
    assert_eq!(
        (answer.status, &answer.body["warnings"][0]["pointer"]),
        (200, &json!("/attributes"))
    );
    let kept = api.position("d-1").await.body["attributes"].take();
    assert_eq!(kept.as_object().unwrap().len(), 32);
    assert_eq!((&kept["a31"], &kept["a32"]), (&json!(31), &Value::Null));
}

#[actix_web::test]
async fn a_position_older_than_its_time_to_live_is_stale() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for timestamp in [
        json!(now_ms() - 300_000),
        json!(now_ms() - 86_400_000),
        json!("2001-09-09T01:46:40Z"),
    ] {
        let stale = api
            .post_fix("d-1", json!({"lat": 1, "lon": 2, "timestamp": timestamp}))
            .await;
        assert_eq!(
            (stale.status, &stale.body),
            (200, &json!({"outcome": "stale"})),
            "{timestamp}"
        );
    }
    assert_eq!(api.position("d-1").await.status, 404);
    let metrics = send_text(&api, "/metrics").await;
    let counted = r#"fleetpulse_fixes_total{kind="drivers",outcome="stale"} 3"#;
    assert!(metrics.contains(counted), "{metrics}");
}

async fn send_text(api: &Api, path: &str) -> String {
    let answer = api.request(Method::GET, path).send().await.unwrap();
    answer.text().await.unwrap()
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
        let shown = api.position(&id).await.body["timestamp"].take();
        assert_eq!(parse_rfc3339(shown.as_str().unwrap()), Some(*expected), "{timestamp}");
    }
    let before = now_ms();
    api.place("d-now", json!({"lat": 1, "lon": 2, "timestamp": null})).await;
    let timestamp = api.position("d-now").await.body["timestamp"].take();
    let timestamp = parse_rfc3339(timestamp.as_str().unwrap()).unwrap();
    assert!((before..=now_ms()).contains(&timestamp));
}

/// A second of Unix time as RFC 3339 without its offset.
fn second_of(unix_s: i64) -> String {
    chrono::DateTime::from_timestamp_secs(unix_s)
        .unwrap()
        .format("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

#[actix_web::test]
async fn an_older_fix_is_stale_and_an_equally_old_one_replaces() {
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
async fn a_deleted_driver_is_gone_at_once_and_only_a_newer_fix_restores_it() {
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

    // Fixes from before the removal that arrive after it.
    let answer = api
        .post_fix("d-1", json!({"lat": 10, "lon": 20, "timestamp": late - 1}))
        .await;
    assert_eq!(answer.body, json!({"outcome": "stale"}));
    api.position("d-1").await.assert_problem(404, &[]);

    api.place("d-1", json!({"lat": 10, "lon": 20, "timestamp": now_ms() + 1_000}))
        .await;
    assert_eq!(api.nearby(near).await.ids(), ["d-1"]);
    // Deleting an unknown entity succeeds as well.
    assert_eq!(api.forget("d-2").await.status, 204);
}

#[actix_web::test]
async fn the_kinds_are_independent() {
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
async fn an_invalid_fix_is_refused_field_by_field_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let now = now_ms();
    let faults: [(Value, &[&str]); 14] = [
        (json!({}), &["/lat", "/lon"]),
        (json!({"lat": 1}), &["/lon"]),
        (json!({"lat": 85.051_13, "lon": 0}), &["/lat"]),
        (json!({"lat": 90.000_000_1, "lon": 0}), &["/lat"]),
        (json!({"lat": 0, "lon": -180.000_002}), &["/lon"]),
        (json!({"lat": "NaN", "lon": true}), &["/lat", "/lon"]),
        (json!({"lat": 1, "lon": 1, "timestamp": now + 65_000}), &["/timestamp"]),
        (json!({"lat": 1, "lon": 1, "timestamp": now * 1_000}), &["/timestamp"]),
        (json!({"lat": 1, "lon": 1, "timestamp": "yesterday"}), &["/timestamp"]),
        (json!({"lat": 1, "lon": 1, "uptime": 1, "ts": 86_400}), &["/timestamp"]),
        (json!({"id": "d-2", "lat": 1, "lon": 1}), &["/id"]),
        (json!({"id": 1, "lat": 1, "lon": 1}), &["/id"]),
        (json!({"id": "d-2", "lat": 1, "lon": 181}), &["/id", "/lon"]),
        (json!([{"lat": 1, "lon": 1}]), &[""]),
    ];
    for (fix, fields) in faults {
        api.post_fix("d-1", fix).await.assert_problem(422, fields);
    }
    api.post_fix("d%201", json!({"lat": 1, "lon": 1}))
        .await
        .assert_problem(422, &["/id"]);
    assert_eq!(api.position("d-1").await.status, 404);
    // The body may repeat the id of the path.
    api.place("d-1", json!({"id": "d-1", "lat": 1, "lon": 1})).await;
    // The limits are included.
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
