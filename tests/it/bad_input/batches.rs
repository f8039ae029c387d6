//! An invalid fix in a batch does not affect the others.

use super::{post, post_json, still_works};
use crate::support::Scene;
use serde_json::Value;

const PATH: &str = "/v1/drivers/positions";

/// Invalid elements of a batch, and the id that is reported for each.
fn bad() -> Vec<(String, Option<&'static str>)> {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let long = "x".repeat(10_000);
    let mut bad: Vec<(String, Option<&str>)> = [
        ("null", None),
        ("7", None),
        ("\"d-2\"", None),
        ("[]", None),
        ("{}", None),
        (r#"{"lat": 1, "lon": 1}"#, None),
        (r#"{"id": "{}", "lat": 1, "lon": 1}"#, None),
        (r#"{"id": "a b", "lat": 1, "lon": 1}"#, None),
        (r#"{"id": 7, "lat": 1, "lon": 1}"#, None),
        (r#"{"id": "bad", "lat": 91, "lon": 1}"#, Some("bad")),
        (r#"{"id": "bad", "lon": 1}"#, Some("bad")),
        (r#"{"id": "bad", "lat": "NaN", "lon": 1}"#, Some("bad")),
        (r#"{"id": "bad", "lat": 1, "lat": 1, "lon": 1}"#, Some("bad")),
        (r#"{"id": "nearby", "lat": 1, "lon": 1}"#, None),
        (r#"{"id": "bad", "lat": 1, "lon": 1, "timestamp": 5}"#, Some("bad")),
        (r#"{"id": "bad", "lat": 1e999, "lon": 1}"#, Some("bad")),
        (r#"{"id": "bad\ud800", "lat": 1, "lon": 1}"#, None),
        (r#"{"id": "bad", "lat": 1, "lon": 1, "heading": NaN}"#, Some("bad")),
        (r#"{"id": "bad", "lat": 1, "lon": 1, }"#, Some("bad")),
        (
            "{\"id\": \"bad\", \"lat\": 1, \"lon\": 1, \"status\": \"a\tb\"}",
            Some("bad"),
        ),
        ("{bad: [1, {}], 'lat': 1}", None),
    ]
    .map(|(element, id)| (element.to_owned(), id))
    .into();
    bad.push((deep.clone(), None));
    bad.push((format!(r#"{{"id": "bad", "lat": {deep}, "lon": 1}}"#), Some("bad")));
    bad.push((format!(r#"{{"id": "{long}", "lat": 1, "lon": 1}}"#), None));
    bad
}

/// A good fix before every bad one, and the ids of the good ones.
fn mixed() -> (Vec<String>, Vec<String>) {
    let (mut elements, mut ids) = (Vec::new(), Vec::new());
    for (index, (element, _)) in bad().into_iter().enumerate() {
        ids.push(format!("good-{index:02}"));
        elements.push(format!(r#"{{"id": "good-{index:02}", "lat": 0.001, "lon": 0.001}}"#));
        elements.push(element);
    }
    (elements, ids)
}

fn assert_rejections(answer: &Value, accepted: usize) {
    assert_eq!(answer["accepted"], accepted, "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), bad().len(), "{answer}");
    for (nth, (rejection, (element, id))) in rejected.iter().zip(bad()).enumerate() {
        assert_eq!(rejection["index"], 2 * nth + 1, "{rejection}");
        assert_eq!(rejection["id"].as_str(), id, "{element:.80}");
        assert!(!rejection["detail"].as_str().unwrap().is_empty());
    }
}

#[actix_web::test]
async fn valid_fixes_are_stored_and_each_invalid_one_is_reported() {
    let (elements, ids) = mixed();
    for (content_type, body) in [
        ("application/json", format!("[{}]", elements.join(","))),
        (
            "application/json",
            format!(r#"{{"positions": [{}]}}"#, elements.join(",")),
        ),
        ("application/x-ndjson", elements.join("\n")),
    ] {
        let scene = Scene::new().await;
        let service = scene.start().await;
        let api = service.drivers();
        let answer = post(&api, PATH, content_type, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_rejections(&answer.body, ids.len());
        let found = api.nearby("lat=0&lon=0&limit=1000").await;
        let mut found = found.ids();
        found.sort_unstable();
        assert_eq!(found, ids);
    }
}

#[actix_web::test]
async fn invalid_utf_8_is_one_invalid_element() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let good = br#"{"id": "d-1", "lat": 1, "lon": 1}"#;
    let nan = br#"{"id": "d-2", "lat": NaN, "lon": 1}"#;
    let latin = b"{\"id\": \"d-3\", \"lat\": 1, \"lon\": 1, \"status\": \"besch\xe4ftigt\"}";
    let elements = [&b"\xff\xfe"[..], good, b"{}", b"\x00", nan, latin];
    let mark = b"\xef\xbb\xbf";
    let array = [mark, &b"["[..], &elements.join(&b','), b"]"].concat();
    let named = [
        mark,
        &b"{\"positions\": ["[..],
        &elements.join(&b','),
        b"], \"sent\": NaN}",
    ]
    .concat();
    let lines = [mark, &elements.join(&b'\n')[..]].concat();
    for (content_type, body) in [
        ("application/json", array),
        ("application/json", named),
        ("application/x-ndjson", lines),
    ] {
        let answer = post(&api, PATH, content_type, body).await;
        assert_eq!(
            (answer.status, &answer.body["accepted"]),
            (200, &Value::from(1)),
            "{answer:?}"
        );
        let rejected = answer.body["rejected"].as_array().unwrap();
        let found: Vec<_> = rejected
            .iter()
            .map(|one| (one["index"].as_u64().unwrap(), one["id"].as_str()))
            .collect();
        assert_eq!(
            found,
            [(0, None), (2, None), (3, None), (4, Some("d-2")), (5, Some("d-3"))]
        );
    }
}

#[actix_web::test]
async fn a_byte_order_mark_is_ignored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mark = "\u{feff}";
    let single = post_json(
        &api,
        "/v1/drivers/d-0/position",
        format!(r#"{mark}{{"lat": 1, "lon": 1}}"#),
    )
    .await;
    assert_eq!(single.status, 204, "{single:?}");
    let good = |n: usize| format!(r#"{{"id": "d-{n}", "lat": 1, "lon": 1}}"#);
    let array = post_json(&api, PATH, format!("{mark}[{}]", good(1))).await;
    assert_eq!(array.body["accepted"], 1, "{array:?}");
    let lines = format!("{mark}{}\n{mark}{}", good(2), good(3));
    let lines = post(&api, PATH, "application/x-ndjson", lines).await;
    assert_eq!(lines.body["accepted"], 2, "{lines:?}");
    assert_eq!(api.within("bbox=0,0,2,2").await.ids(), ["d-0", "d-1", "d-2", "d-3"]);
}

#[actix_web::test]
async fn a_body_that_is_not_a_batch_is_refused_as_a_whole() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let good = r#"{"id": "d-1", "lat": 1, "lon": 1}"#;
    for body in [
        "{}",
        good,
        "null",
        r#"{"positions": 7}"#,
        r#"{"positions": [], "positions": []}"#,
    ] {
        post_json(&api, PATH, body).await.assert_problem(422, &[""]);
    }
    let deep = format!(r#"{{"positions": [{good}], "x": {}"#, "[".repeat(10_000));
    let (cut, nan) = (format!("[{good},"), format!("[{good}, NaN"));
    let (quote, behind) = (format!("[{good}, \"]"), format!("[{good}, NaN] x"));
    for body in ["", &cut, &nan, &deep, &quote, &behind].map(str::as_bytes) {
        post_json(&api, PATH, body.to_vec()).await.assert_problem(400, &[]);
    }
    let many = vec![good; 10_001];
    let answer = post_json(&api, PATH, format!("[{}]", many.join(","))).await;
    answer.assert_problem(413, &[]);
    let answer = post(&api, PATH, "application/x-ndjson", many.join("\n")).await;
    answer.assert_problem(413, &[]);
    assert_eq!(api.position("d-1").await.status, 404);
    still_works(&api).await;
}
