use super::{calls, deflate, gzip};
use crate::support::{Api, Scene, send};
use flate2::read::{GzDecoder, ZlibDecoder};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::io::Read;

const HERE: &str = "/v1/drivers/within?bbox=-74,40,-73,41&limit=1000";

/// As many drivers as make an answer large.
async fn place_many(api: &Api) {
    let fixes: Vec<Value> = (0..1_000)
        .map(|n| json!({"id": format!("d-{n}"), "lat": 40.7, "lon": -73.9, "status": "available"}))
        .collect();
    api.place_all(&fixes).await;
}

async fn get(api: &Api, path: &str, accept_encoding: &str) -> Response {
    let request = api.request(Method::GET, path).header(ACCEPT_ENCODING, accept_encoding);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path} {accept_encoding}");
    answer
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// All values of a header, in lower case and on one line.
fn all(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    lines.join(", ").to_ascii_lowercase()
}

#[actix_web::test]
async fn a_large_answer_is_compressed_in_the_requested_coding() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place_many(&api).await;
    let plain = get(&api, HERE, "identity").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain: Value = plain.json().await.unwrap();
    for (asked, coding) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate", "deflate"),
        ("gzip;q=0.2, deflate;q=0.9", "deflate"),
        ("*", "gzip"),
        ("br", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0.1, identity", ""),
        ("", ""),
    ] {
        let answer = get(&api, HERE, asked).await;
        assert_eq!(header(answer.headers(), "content-encoding"), coding, "{asked}");
        // Whichever was chosen, another client may get a different answer.
        assert!(all(answer.headers(), "vary").contains("accept-encoding"), "{asked}");
        let body = answer.bytes().await.unwrap();
        let mut read = Vec::new();
        let size = match coding {
            "gzip" => GzDecoder::new(&*body).read_to_end(&mut read),
            "deflate" => ZlibDecoder::new(&*body).read_to_end(&mut read),
            _ => (&*body).read_to_end(&mut read),
        };
        let read: Value = serde_json::from_slice(&read[..size.unwrap()]).unwrap();
        let ids = |list: &Value| list["results"].as_array().unwrap().len();
        assert_eq!((ids(&read), ids(&plain)), (1_000, 1_000), "{asked}");
        if !coding.is_empty() {
            assert!(body.len() < plain.to_string().len() / 3, "{asked}: {}", body.len());
        }
    }
}

#[actix_web::test]
async fn a_small_answer_is_never_compressed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place_many(&api).await;
    for path in ["/v1/drivers/nearby?lat=40.7&lon=-73.9&limit=10", "/health/live"] {
        let answer = get(&api, path, "gzip").await;
        assert!(!answer.headers().contains_key("content-encoding"), "{path}");
        assert!(answer.headers().contains_key("content-length"), "{path}");
        assert!(!all(answer.headers(), "vary").contains("accept-encoding"), "{path}");
    }
}

#[actix_web::test]
async fn a_document_with_an_entity_tag_is_the_same_in_every_coding() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let plain = get(&api, "/openapi.json", "identity").await;
    let tag = header(plain.headers(), "etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    // A strong tag identifies the exact bytes, so it is weak for those of a coding.
    let weak = format!("W/{tag}");
    let plain = plain.bytes().await.unwrap();
    for coding in ["gzip", "deflate", "gzip", "identity", "gzip"] {
        let answer = get(&api, "/openapi.json", coding).await;
        let sent = if coding == "identity" { &tag } else { &weak };
        assert_eq!(header(answer.headers(), "etag"), sent, "{coding}");
        assert_eq!(
            header(answer.headers(), "content-encoding"),
            if coding == "identity" { "" } else { coding },
        );
        assert!(all(answer.headers(), "vary").contains("accept-encoding"), "{coding}");
        assert_eq!(header(answer.headers(), "cache-control"), "no-cache", "{coding}");
        let body = answer.bytes().await.unwrap();
        let mut read = Vec::new();
        match coding {
            "gzip" => GzDecoder::new(&*body).read_to_end(&mut read).unwrap(),
            "deflate" => ZlibDecoder::new(&*body).read_to_end(&mut read).unwrap(),
            _ => (&*body).read_to_end(&mut read).unwrap(),
        };
        assert!(read == plain, "{coding}");
        // A client that has the response in one coding gets a 304.
        for known in [&tag, &weak] {
            let request = api
                .request(Method::GET, "/openapi.json")
                .header(ACCEPT_ENCODING, coding);
            let confirmed = request.header("if-none-match", known).send().await.unwrap();
            assert_eq!(confirmed.status(), 304, "{coding} {known}");
            assert!(all(confirmed.headers(), "vary").contains("accept-encoding"), "{coding}");
        }
    }
    // The metrics are large and of a media type of their own.
    let metrics = get(&api, "/metrics", "gzip").await;
    assert_eq!(header(metrics.headers(), "content-encoding"), "gzip");
}

#[actix_web::test]
async fn a_stream_of_events_is_not_compressed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let request = api
        .request(Method::GET, "/v1/queues/q/events")
        .header(ACCEPT, "text/event-stream");
    let answer = request.header(ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(answer.headers(), "content-type"), "text/event-stream");
    assert!(!answer.headers().contains_key("content-encoding"));
    assert_eq!(all(answer.headers(), "vary"), "accept");
}

#[actix_web::test]
async fn the_media_type_is_chosen_by_its_quality() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for path in ["/v1/drivers/nearby?lat=40.7&lon=-73.9", HERE] {
        for (accept, chosen) in [
            ("application/geo+json", "application/geo+json"),
            ("application/json;q=0.5, application/geo+json", "application/geo+json"),
            ("application/geo+json;q=0.5, application/json", "application/json"),
            ("application/geo+json;q=0", "application/json"),
            ("application/geo+json-seq", "application/json"),
            ("application/*", "application/json"),
            ("*/*", "application/json"),
        ] {
            let answer = api
                .request(Method::GET, path)
                .header(ACCEPT, accept)
                .send()
                .await
                .unwrap();
            assert_eq!(header(answer.headers(), "content-type"), chosen, "{path} {accept}");
            assert!(all(answer.headers(), "vary").contains("accept"), "{path} {accept}");
        }
    }
}

#[actix_web::test]
async fn answers_are_no_store_by_default() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mut paths: Vec<_> = calls(&api)
        .await
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    paths.push(("GET".to_owned(), "/nowhere".to_owned()));
    paths.push(("OPTIONS".to_owned(), "/health".to_owned()));
    paths.push(("TRACE".to_owned(), "/health".to_owned()));
    for (method, path) in paths {
        let request = api.request(method.parse().unwrap(), &path).json(&json!({}));
        let answer = request.send().await.unwrap();
        let said = header(answer.headers(), "cache-control");
        assert!(
            ["no-store", "private, no-store"].contains(&said),
            "{method} {path}: {said}"
        );
    }
    let page = get(&api, "/docs/index.html", "").await;
    assert_eq!(header(page.headers(), "cache-control"), "max-age=3600");
}

#[actix_web::test]
async fn a_compressed_call_may_have_a_compressed_answer() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place_many(&api).await;
    let query = json!({"queries": [{"lat": 40.7, "lon": -73.9, "limit": 1000}]}).to_string();
    for (coding, body) in [("gzip", gzip(query.as_bytes())), ("deflate", deflate(query.as_bytes()))] {
        let request = api.request(Method::POST, "/v1/drivers/nearby");
        let request = request
            .header("content-type", "application/json")
            .header("content-encoding", coding);
        let answer = request.header(ACCEPT_ENCODING, coding).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{coding}");
        assert_eq!(header(answer.headers(), "content-encoding"), coding);
    }
    // Errors are small, and are readable for a client that sent an unreadable body.
    let request = api
        .request(Method::POST, "/v1/drivers/nearby")
        .header("content-encoding", "br");
    send(request.header(ACCEPT_ENCODING, "br").body("{}"))
        .await
        .assert_problem(415, &[]);
}
