use super::calls;
use crate::support::{Raw, Scene, send};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use std::collections::BTreeSet;

/// The headers of an answer that do not depend on the time.
fn lasting(headers: &HeaderMap) -> BTreeSet<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let changes = |name: &str| ["date", "age", "cache-status"].contains(&name);
    headers.iter().map(text).filter(|(name, _)| !changes(name)).collect()
}

#[actix_web::test]
async fn head_is_answered_wherever_get_is() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("a.ABCDEFGHIJKLM", json!({"lat": 40.7, "lon": -73.9})).await;
    let described = calls(&api).await;
    let mut paths: Vec<String> = described
        .into_iter()
        .filter(|(method, _, _)| method == "GET")
        .map(|(_, path, _)| path)
        .collect();
    paths.extend(["/", "/docs", "/docs/", "/docs/index.html", "/openapi.json"].map(ToOwned::to_owned));
    paths.extend(["/v1/drivers/nearby?lat=40.7&lon=-73.9", "/nowhere"].map(ToOwned::to_owned));
    for path in &paths {
        let get = api.request(Method::GET, path).send().await.unwrap();
        let head = api.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        let (mut of_get, mut of_head) = (lasting(get.headers()), lasting(head.headers()));
        // Other answers differ in size from one moment to the next.
        if !["/openapi.json", "/docs/index.html", "/health/live", "/nowhere"].contains(&&**path) {
            of_get.retain(|(name, _)| name != "content-length");
            of_head.retain(|(name, _)| name != "content-length");
        }
        assert_eq!(of_head, of_get, "{path}");
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
    assert!(paths.len() > 25, "{paths:?}");
}

#[actix_web::test]
async fn an_answer_to_head_has_no_body() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    // The next answer begins where the first ends: large, small, without end.
    for first in [
        "/openapi.json HTTP/1.1\r\nAccept-Encoding: gzip",
        "/openapi.json HTTP/1.1\r\nRange: bytes=0-1",
        "/health/live HTTP/1.1",
        "/v1/queues/q/events HTTP/1.1\r\nAccept: text/event-stream",
    ] {
        let mut raw = Raw::connect(&service.url()).await;
        // The last one is not a request, and ends the connection.
        let next = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nEND\r\n\r\n";
        raw.send(format!("HEAD {first}\r\nHost: localhost\r\n\r\n{next}")).await;
        let said = raw.rest().await;
        let answers: Vec<&str> = said.split("HTTP/1.1 ").skip(1).collect();
        assert_eq!(answers.len(), 3, "{first}: {said}");
        assert!(
            answers[0].starts_with("200 ") && answers[0].ends_with("\r\n\r\n"),
            "{said}"
        );
        assert_eq!(answers[0].matches("\r\n\r\n").count(), 1, "{said}");
    }
}

#[actix_web::test]
async fn options_names_the_methods_of_a_path_and_of_the_whole_service() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (path, methods) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/docs/", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/v1/drivers/nearby", "GET, POST, HEAD, OPTIONS"),
        ("/v1/limits/check", "POST, OPTIONS"),
    ] {
        let answer = api.request(Method::OPTIONS, path).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{path}");
        assert_eq!(answer.headers()["allow"], methods, "{path}");
    }
    let nowhere = send(api.request(Method::OPTIONS, "/nowhere")).await;
    nowhere.assert_problem(404, &[]);
    let refused = send(api.request(Method::PUT, "/v1/limits/check")).await;
    refused.assert_problem(405, &[]);
    assert!(
        refused.body["detail"].as_str().unwrap().contains("POST, OPTIONS"),
        "{refused:?}"
    );
    let mut raw = Raw::connect(&service.url()).await;
    let all = raw
        .send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .head()
        .await;
    assert!(
        all.starts_with("HTTP/1.1 204 ") && all.contains("allow: GET, HEAD"),
        "{all}"
    );
}

#[actix_web::test]
async fn the_root_redirects_to_the_documentation() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for path in ["/", "/docs"] {
        let answer = api.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.url().path(), "/docs/", "{path}");
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.text().await.unwrap().contains("swagger"), "{path}");
    }
    let unknown = api.get("/docs/no-such-file.js").await;
    unknown.assert_problem(404, &[]);
}

#[actix_web::test]
async fn a_lock_can_be_released_with_post() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let post = |path: &'static str, body| send(api.request(Method::POST, path).json(&body));
    let taken = post("/v1/locks/l", json!({"ttl_ms": 30_000, "token": "5e2f9d0c4b7a41c8"})).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    let other = post("/v1/locks/l/release", json!({"token": "0000000000000000"})).await;
    other.assert_problem(409, &[]);
    let released = post("/v1/locks/l/release", json!({"token": "5e2f9d0c4b7a41c8"})).await;
    assert_eq!(released.status, 204, "{released:?}");
    assert_eq!(api.get("/v1/locks/l").await.status, 404);
}
