//! Many fixes in one call: three formats, and the valid ones are stored.

use crate::support::{Document, Scene, now_ms, send};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

fn fixes(prefix: &str, count: u32) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"id": format!("{prefix}-{n}"), "lat": 40.0 + f64::from(n) * 1e-4, "lon": -73}))
        .collect()
}

fn all_accepted(count: usize) -> Value {
    json!({"accepted": count, "stale": 0, "buffered": 0, "rejected": []})
}

#[actix_web::test]
async fn an_array_an_object_and_lines_are_equivalent() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let array = api.post_batch(&json!(fixes("array", 3))).await;
    assert_eq!((array.status, &array.body), (200, &all_accepted(3)));
    let object = api
        .post_batch(&json!({"sent_by": "a gateway", "positions": fixes("object", 3)}))
        .await;
    assert_eq!(object.body, all_accepted(3));
    let lines: Vec<String> = fixes("line", 3).iter().map(ToString::to_string).collect();
    // Empty lines and Windows line ends are ignored.
    let ndjson = api.post_ndjson(&format!("\n{}\r\n\r\n", lines.join("\r\n"))).await;
    assert_eq!(ndjson.body, all_accepted(3));
    for id in ["array-2", "object-2", "line-2"] {
        assert_eq!(api.position(id).await.body["lat"], 40.000_2, "{id}");
    }
    assert_eq!(api.post_batch(&json!([])).await.body, all_accepted(0));
    assert_eq!(api.post_ndjson("").await.body, all_accepted(0));
}

#[actix_web::test]
async fn valid_fixes_are_stored_regardless_of_invalid_ones() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-old", json!({"lat": 1, "lon": 1})).await;
    let answer = api
        .post_batch(&json!([
            {"id": "d-0", "lat": 1, "lon": 1},
            {"id": "d-1", "lat": 91, "lon": 1},
            {"id": "no id", "lat": 1, "lon": 1},
            {"lat": 1, "lon": 1},
            {"id": 5, "lat": 1, "lon": 1},
            "d-5",
            null,
            [[[]]],
            {"id": "d-old", "lat": 2, "lon": 2, "timestamp": now_ms() - 60_000},
            {"id": "d-9", "lat": 1, "lon": 1, "timestamp": 0},
            {"id": "d-10", "lat": 1},
            {"id": "d-11", "lat": 1, "lon": 1},
        ]))
        .await;
    assert_eq!(answer.status, 200);
    let counts = ["accepted", "stale", "buffered"].map(|name| answer.body[name].as_i64().unwrap());
    assert_eq!(counts, [2, 1, 0]);
    let rejected = answer.body["rejected"].as_array().unwrap();
    let places: Vec<_> = rejected
        .iter()
        .map(|one| (one["index"].as_i64().unwrap(), one["id"].as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (1, Some("d-1")),
            (2, None),
            (3, None),
            (4, None),
            (5, None),
            (6, None),
            (7, None),
            (9, Some("d-9")),
            (10, Some("d-10"))
        ]
    );
    assert!(
        rejected.iter().all(|one| !one["detail"].as_str().unwrap().is_empty()),
        "{rejected:?}"
    );
    assert_eq!(api.within("bbox=0,0,3,3").await.ids(), ["d-0", "d-11", "d-old"]);
    assert_eq!(api.position("d-old").await.body["lat"], 1.0);
}

#[actix_web::test]
async fn an_invalid_line_affects_no_other() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let answer = api
        .post_ndjson("{\"id\":\"a\",\"lat\":1,\"lon\":1}\n{\"id\":\"b\",\"lat\":\n{\"id\":\"c\",\"lat\":1,\"lon\":1}")
        .await;
    assert_eq!(answer.body["accepted"], 2);
    assert_eq!(answer.body["rejected"][0]["index"], 1);
    assert_eq!(api.within("bbox=0,0,3,3").await.ids(), ["a", "c"]);
}

#[actix_web::test]
async fn of_several_fixes_of_an_entity_the_newest_is_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let now = now_ms();
    let fix = |age_ms: i64| json!({"id": "d-1", "lat": age_ms, "lon": 0, "timestamp": now - age_ms});
    let answer = api.post_batch(&json!([fix(5), fix(9), fix(1), fix(3), fix(2)])).await;
    // The first, then the one that is newer; the others arrived too late.
    assert_eq!(
        (&answer.body["accepted"], &answer.body["stale"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(api.position("d-1").await.body["lat"], 1.0);
}

#[actix_web::test]
async fn ten_thousand_fixes_are_accepted_and_one_more_is_not() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mut batch = fixes("d", 10_000);
    assert_eq!(api.post_batch(&json!(batch)).await.body, all_accepted(10_000));
    assert_eq!(api.position("d-9999").await.status, 200);

    batch.push(json!({"id": "too-many", "lat": 1, "lon": 1}));
    api.post_batch(&json!(batch)).await.assert_problem(413, &[]);
    let lines: Vec<String> = batch.iter().map(ToString::to_string).collect();
    api.post_ndjson(&lines.join("\n")).await.assert_problem(413, &[]);
    assert_eq!(api.position("too-many").await.status, 404);
}

#[actix_web::test]
async fn a_body_that_is_not_a_batch_is_a_problem() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.post_batch(&json!({"fixes": []})).await.assert_problem(422, &[""]);
    api.post_batch(&json!("positions")).await.assert_problem(422, &[""]);
    let path = "/v1/drivers/positions";
    let cut = api.request(Method::POST, path).body("[{\"id\":\"a\",\"lat\":1");
    send(cut.header(CONTENT_TYPE, "application/json"))
        .await
        .assert_problem(400, &[]);
    let csv = api.request(Method::POST, path).body("a,1,1");
    send(csv.header(CONTENT_TYPE, "text/csv"))
        .await
        .assert_problem(415, &[]);
}

#[actix_web::test]
async fn dropped_members_are_listed_together_with_rejected_fixes() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let document = Document::of(&api).await;
    let odd = |id: &str| json!({"id": id, "lat": 1, "lon": 1, "status": "", "heading": 360, "speed": -1});
    let answer = api
        .post_batch(&json!([fixes("d", 1)[0], odd("d-1"), 7, odd("d-3")]))
        .await;
    document.has("post /v1/{kind}/positions", 200, &answer.body);
    assert_eq!(
        (&answer.body["accepted"], &answer.body["rejected"][0]["index"]),
        (&json!(3), &json!(2))
    );
    let warnings = answer.body["warnings"].as_array().unwrap();
    let detail = &warnings[0]["detail"];
    assert_eq!(
        warnings[..],
        [
            json!({"index": 1, "id": "d-1", "pointer": "/status", "detail": detail}),
            json!({"index": 3, "id": "d-3", "pointer": "/status", "detail": detail}),
        ]
    );
    assert_eq!(answer.body["warnings_total"], 2);
    assert_eq!(api.position("d-3").await.body["heading_deg"], 0.0);

    let many: Vec<Value> = (0..10_000).map(|n| odd(&format!("d-{n}"))).collect();
    let answer = api.post_batch(&json!(many)).await.body;
    assert_eq!(
        (&answer["accepted"], answer["warnings"].as_array().unwrap().len()),
        (&json!(10_000), 100)
    );
    assert_eq!(answer["warnings_total"], 10_000);
}

#[actix_web::test]
async fn fixes_queued_for_hours_are_stale_and_do_not_affect_others() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let (now, hour) = (now_ms(), 3_600_000);
    let queued: Vec<Value> = (0..50)
        .map(|n| json!({"id": "d-1", "lat": 1, "lon": n, "time": now - hour + n * 72_000}))
        .collect();
    let answer = api.post_batch(&json!(queued)).await;
    assert_eq!(answer.status, 200);
    // The time to live is five minutes here: the last four or five positions of an hour are valid.
    let accepted = answer.body["accepted"].as_u64().unwrap();
    assert!((4..=5).contains(&accepted), "{answer:?}");
    assert_eq!(answer.body["stale"], 50 - accepted);
    assert_eq!(answer.body["rejected"], json!([]));
    assert_eq!(api.position("d-1").await.body["lon"], 49.0);
}
