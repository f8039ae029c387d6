//! Bodies of a single fix and of a profile.

use super::{post, post_json, still_works};
use crate::support::{Raw, Scene, send};
use reqwest::Method;

const PATH: &str = "/v1/drivers/d-1/position";

#[actix_web::test]
async fn an_invalid_fix_is_refused_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    for (body, pointers) in [
        ("{}", &["/lat", "/lon"][..]),
        (r#"{"lat": 1}"#, &["/lon"]),
        (r#"{"lat": "NaN", "lon": "Infinity"}"#, &["/lat", "/lon"]),
        (r#"{"lat": null, "lon": 1}"#, &["/lat"]),
        (r#"{"lat": 85.06, "lon": 1}"#, &["/lat"]),
        (r#"{"lat": 1, "lon": -180.1}"#, &["/lon"]),
        (r#"{"lat": [1], "lon": {"x": 1}}"#, &["/lat", "/lon"]),
        (r#"{"lat": true, "lon": "1"}"#, &["/lat", "/lon"]),
        (r#"{"lat": 1, "lat": 1, "lon": 1}"#, &["/lat"]),
        (r#"{"id": "d-2", "lat": 1, "lon": 1}"#, &["/id"]),
        (r#"{"id": 1, "lat": 1, "lon": 1}"#, &["/id"]),
        (r#"{"lat": 1, "lon": 1, "timestamp": "yesterday"}"#, &["/timestamp"]),
        (r#"{"lat": 1, "lon": 1, "timestamp": 0}"#, &["/timestamp"]),
        (r#"{"lat": 1, "lon": 1, "timestamp": 99999999999999}"#, &["/timestamp"]),
        (
            r#"{"lat": 1, "lon": 1, "timestamp": "9999-12-31T23:59:59Z"}"#,
            &["/timestamp"],
        ),
        (
            r#"{"lat": 1, "lon": 1, "timestamp": -9223372036854775808}"#,
            &["/timestamp"],
        ),
        ("[]", &[""]),
        ("null", &[""]),
        ("\"x\"", &[""]),
    ] {
        post_json(&api, PATH, body).await.assert_problem(422, pointers);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    assert_eq!(api.position("d-1").await.status, 404);
    still_works(&api).await;
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_a_400() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    // A single fix has at most 16 KiB; a deep one fits into that only half open.
    let deep_arrays = "[".repeat(10_000);
    let deep_member = format!(r#"{{"lat": 1, "lon": 1, "x": {}"#, "[".repeat(10_000));
    for body in [
        &b""[..],
        b"{",
        b"{\"lat\": 1, \"lon\":",
        b"{\"lat\": NaN, \"lon\": 1}",
        b"{\"lat\": 1, \"lon\": -Infinity}",
        b"{\"lat\": 1e999, \"lon\": 1}",
        b"{\"lat\": 1, \"lon\": 1, \"status\": \"\xff\xfe\"}",
        b"\xef\xbb\xbf",
        b"{\"lat\": 1, \"lon\": 1, \"heading\": NaN}",
        b"lat=1&lon=1",
        b"\x00\x00\x00",
        deep_arrays.as_bytes(),
        deep_member.as_bytes(),
    ] {
        post_json(&api, PATH, body.to_vec()).await.assert_problem(400, &[]);
        let profile = api.request(Method::PUT, "/v1/drivers/d-1").body(body.to_vec());
        send(profile).await.assert_problem(400, &[]);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    still_works(&api).await;
}

#[actix_web::test]
async fn a_body_over_the_limit_is_a_413_with_and_without_content_length() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    for (path, limit) in [
        (PATH, 16 * 1024),
        ("/v1/drivers/positions", 8 * 1024 * 1024),
        ("/v1/drivers/nearby", 1024 * 1024),
    ] {
        // A body with a Content-Length is refused unread.
        let mut announced = Raw::connect(&service.url()).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            limit + 1
        );
        let answer = announced.send(&head).await.head().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");

        // Without one, the bytes are counted.
        let mut chunked = Raw::connect(&service.url()).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        chunked.send(&head).await;
        let spaces = " ".repeat(16 * 1024);
        for _ in 0..=limit / spaces.len() {
            chunked.send(format!("{:x}\r\n{spaces}\r\n", spaces.len())).await;
        }
        let answer = chunked.head().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
    assert_eq!(scene.stored_for_callers().await, before);
    still_works(&api).await;
}

#[actix_web::test]
async fn another_media_type_is_a_415() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    let fix = r#"{"lat": 1, "lon": 1}"#;
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "",
    ] {
        post(&api, PATH, content_type, fix).await.assert_problem(415, &[]);
    }
    for content_type in ["text/csv", "multipart/form-data; boundary=x", "application/jsonx"] {
        let answer = post(&api, "/v1/drivers/positions", content_type, "[]").await;
        answer.assert_problem(415, &[]);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/geo+json",
    ] {
        assert_eq!(post(&api, PATH, content_type, fix).await.status, 204, "{content_type}");
    }
}

#[actix_web::test]
async fn invalid_ids_are_refused_before_any_call_to_redis() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    let long = "x".repeat(10_000);
    for id in [
        "%7Ba%7D",
        "%20",
        "a%20b",
        "%00",
        "a%0D%0Ab",
        "%1B%5B2J",
        "%F0%9F%9A%95",
        "%FF",
        "a%2Fb",
        "*",
        "nearby",
        "within",
        "positions",
        "stream",
        "density",
        &long,
    ] {
        let path = format!("/v1/drivers/{id}/position");
        let answer = post_json(&api, &path, r#"{"lat": 1, "lon": 1}"#).await;
        answer.assert_problem(422, &["/id"]);
        api.get(&path).await.assert_problem(422, &["/id"]);
    }
    assert_eq!(scene.stored_for_callers().await, before);
    still_works(&api).await;
}

/// Clients would resolve these paths; here they are sent unchanged.
#[actix_web::test]
async fn a_dot_segment_is_not_an_id_in_any_path() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let before = scene.stored_for_callers().await;
    for id in [".", "..", "%2E", "%2e%2E"] {
        for (method, path, body) in [
            ("POST", format!("/v1/drivers/{id}/position"), r#"{"lat": 1, "lon": 1}"#),
            ("PUT", format!("/v1/vehicles/{id}"), "{}"),
            ("PUT", format!("/v1/inventory/{id}"), r#"{"quantity": 1}"#),
            ("GET", format!("/v1/reservations/{id}"), ""),
            ("POST", format!("/v1/locks/{id}"), r#"{"ttl_ms": 1000}"#),
            (
                "POST",
                format!("/v1/queues/{id}/jobs"),
                r#"{"type": "t", "payload": 1}"#,
            ),
            (
                "PUT",
                format!("/v1/queues/q/schedules/{id}"),
                r#"{"every_s": 60, "job": {"type": "t"}}"#,
            ),
            ("PUT", format!("/v1/cache/{id}/k"), r#"{"value": 1}"#),
        ] {
            let mut raw = Raw::connect(&service.url()).await;
            let length = body.len();
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
            let answer = raw.send(&request).await.head().await;
            assert!(answer.starts_with("HTTP/1.1 422 "), "{method} {path}: {answer}");
        }
    }
    assert_eq!(scene.stored_for_callers().await, before);
}

#[actix_web::test]
async fn an_unknown_parameter_is_a_400_and_nothing_is_done() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fix = r#"{"lat": 1, "lon": 1}"#;
    for (path, body) in [
        ("/v1/drivers/d-1/position?ttl_s=5", fix),
        ("/v1/drivers/positions?x", "[]"),
        ("/v1/drivers/nearby?limit=5", r#"{"queries": []}"#),
    ] {
        post_json(&api, path, body).await.assert_problem(400, &[]);
    }
    assert_eq!(api.position("d-1").await.status, 404);

    assert_eq!(post_json(&api, PATH, fix).await.status, 204);
    for (method, path) in [
        (Method::DELETE, "/v1/drivers/d-1/position?before=5"),
        (Method::PUT, "/v1/drivers/d-1?x=1"),
        (Method::PATCH, "/v1/drivers/d-1?x=1"),
        (Method::DELETE, "/v1/drivers/d-1?x=1"),
    ] {
        send(api.request(method, path).body("{}"))
            .await
            .assert_problem(400, &[]);
    }
    assert_eq!(api.position("d-1").await.status, 200);
}
