//! The answers of a cached route.

use super::{Got, Site};
use crate::support::{Raw, Scene, http_client};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use bytes::Bytes;
use fleetpulse::response_cache::{Builder, QueryKey};
use reqwest::Method;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

#[actix_web::test]
async fn the_second_request_is_answered_from_the_cache() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |_, n| {
            HttpResponse::Ok()
                .insert_header(("x-by", "handler"))
                .body(format!("{n}"))
        },
    )
    .await;
    let first = site.get("/a").await;
    first.assert(200, "1", "fwd=uri-miss; stored");
    assert_eq!(first.header("age"), "");
    let second = site.get("/a").await;
    second.assert(200, "1", "hit; ttl=");
    assert!(["0", ""].contains(&second.header("age")), "{second:?}");
    for header in ["etag", "date", "x-by", "cache-control"] {
        assert_eq!(first.header(header), second.header(header), "{header}");
        assert!(!first.header(header).is_empty(), "{header}");
    }
    // A client has to validate it, because no invalidation reaches the client's cache.
    assert_eq!(second.header("cache-control"), "no-cache");
    assert_eq!(site.calls(), 1);

    // Another instance has it as well.
    let other = Site::start(&scene, |cache| cache.ttl(MINUTE), |_, _| HttpResponse::Ok().finish()).await;
    // With another host: answers may depend on the host unless the rule excludes it.
    other.get("/a").await.assert(200, "", "fwd=uri-miss");
    let host = site.url().trim_start_matches("http://");
    other.get_with("/a", &[("host", host)]).await.assert(200, "1", "hit");
    assert_eq!(other.calls(), 1);
}

#[actix_web::test]
async fn two_instances_share_what_does_not_depend_on_the_host() {
    let scene = Scene::new().await;
    let start = async |body: &'static str| {
        let build = |cache: Builder| cache.ttl(MINUTE).any_host();
        Site::start(&scene, build, move |_, _| HttpResponse::Ok().body(body)).await
    };
    let (one, other) = (start("one").await, start("other").await);
    one.get("/a").await.assert(200, "one", "fwd=uri-miss; stored");
    other.get("/a").await.assert(200, "one", "hit");
    assert_eq!((one.calls(), other.calls()), (1, 0));
}

#[actix_web::test]
async fn the_age_is_in_seconds() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |_, _| HttpResponse::Ok().insert_header(("age", "7")).finish(),
    )
    .await;
    assert_eq!(site.get("/a").await.header("age"), "7");
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let later = site.get("/a").await;
    assert_eq!(later.header("age"), "8", "{later:?}");
    assert!(later.cache().starts_with("hit; ttl=5"), "{later:?}");
}

#[actix_web::test]
async fn a_client_with_the_current_response_gets_a_304() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE).vary([ACCEPT]).max_age(Duration::from_secs(9)),
        |request, _| {
            let changed = ("last-modified", "Mon, 02 Nov 2026 10:00:00 GMT");
            let mut response = HttpResponse::Ok();
            if request.path() == "/dated" {
                response.insert_header(changed).insert_header(("etag", "\"own\""));
            }
            response.content_type("text/plain").body("hello")
        },
    )
    .await;
    let tag = site.get("/a").await.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = site.get_with("/a", &[("if-none-match", &tag)]).await;
    again.assert(304, "", "hit");
    assert_eq!(
        (
            again.header("etag"),
            again.header("vary"),
            again.header("cache-control")
        ),
        (&*tag, "accept", "max-age=9")
    );
    assert_eq!(again.header("content-type"), "");
    // The client of the first request may already have it as well.
    site.get_with("/a?other", &[("if-none-match", &tag)])
        .await
        .assert(304, "", "fwd=uri-miss; fwd-status=200; stored");
    site.get_with("/a", &[("if-none-match", "\"x\", W/\"y\"")])
        .await
        .assert(200, "hello", "hit");
    site.get_with("/a", &[("if-none-match", "*")])
        .await
        .assert(304, "", "hit");

    site.get("/dated").await.assert(200, "hello", "fwd");
    let since = |date| [("if-modified-since", date)];
    site.get_with("/dated", &since("Mon, 02 Nov 2026 10:00:00 GMT"))
        .await
        .assert(304, "", "hit");
    site.get_with("/dated", &since("Mon, 02 Nov 2026 09:59:59 GMT"))
        .await
        .assert(200, "hello", "hit");
    site.get_with("/dated", &since("nonsense"))
        .await
        .assert(200, "hello", "hit");
    site.get_with("/dated", &[("if-none-match", "W/\"own\"")])
        .await
        .assert(304, "", "hit");
    assert_eq!(site.calls(), 3);
}

#[actix_web::test]
async fn a_head_is_answered_from_a_get() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |request, _| HttpResponse::Ok().body(request.method().to_string()),
    )
    .await;
    let head = Got::of(site.request(Method::HEAD, "/a")).await;
    head.assert(200, "", "fwd=uri-miss; stored");
    assert_eq!(head.header("content-length"), "3");
    site.get("/a").await.assert(200, "GET", "hit");
    // No body is sent, because otherwise the next answer on the connection could not be parsed.
    let mut raw = Raw::connect(site.url()).await;
    let host = site.url().trim_start_matches("http://");
    let head = raw
        .send(format!("HEAD /a HTTP/1.1\r\nhost: {host}\r\n\r\n"))
        .await
        .head()
        .await;
    assert!(head.contains("hit; ttl="), "{head}");
    raw.send(format!("GET /a HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
        .await;
    let next = raw.rest().await;
    assert!(next.starts_with("HTTP/1.1 200 OK") && next.ends_with("GET"), "{next}");
    assert_eq!(site.calls(), 1);
    // Only a GET can request a range, and a request that bypasses the cache reaches the handler unchanged.
    let head = async |path, name, value| Got::of(site.request(Method::HEAD, path).header(name, value)).await;
    head("/a", "range", "bytes=0-1").await.assert(200, "", "hit");
    for (path, name, value, cache) in [
        ("/a", "if-match", "\"x\"", "fwd=bypass"),
        ("/b", "range", "bytes=0-1", "fwd=uri-miss; stored"),
    ] {
        let got = head(path, name, value).await;
        got.assert(200, "", cache);
        assert_eq!(got.header("content-length"), "3", "{got:?}");
    }
}

#[actix_web::test]
async fn uncacheable_requests_bypass_the_cache() {
    let scene = Scene::new().await;
    let build = |cache: Builder| {
        cache
            .ttl(MINUTE)
            .skip(|request| request.headers.contains_key("x-skip"))
            .condition(|response| !response.headers().contains_key("x-not"))
    };
    let site = Site::start(&scene, build, |request, n| {
        let mut response = HttpResponse::Ok();
        if request.path() == "/not" {
            response.insert_header(("x-not", "1"));
        }
        response.body(format!("{n}"))
    })
    .await;
    site.get("/a").await.assert(200, "1", "fwd=uri-miss; stored");
    for (n, (header, value)) in [
        ("range", "bytes=0-1"),
        ("if-match", "\"x\""),
        ("if-unmodified-since", "Mon, 02 Nov 2026 10:00:00 GMT"),
        ("x-skip", "1"),
    ]
    .into_iter()
    .enumerate()
    {
        let got = site.get_with("/a", &[(header, value)]).await;
        got.assert(200, &format!("{}", n + 2), "fwd=bypass");
    }
    Got::of(site.request(Method::POST, "/a").body("x"))
        .await
        .assert(200, "6", "fwd=method");
    Got::of(site.request(Method::GET, "/a").body("x"))
        .await
        .assert(200, "7", "fwd=bypass");
    site.get("/a").await.assert(200, "1", "hit");
    site.get("/not")
        .await
        .assert(200, "8", "fwd=uri-miss; detail=condition");
    site.get("/not")
        .await
        .assert(200, "9", "fwd=uri-miss; detail=condition");
}

#[actix_web::test]
async fn the_rule_decides_which_query_parameters_are_in_the_key() {
    let scene = Scene::new().await;
    let by_query = |request: &actix_web::HttpRequest, _| HttpResponse::Ok().body(request.query_string().to_owned());
    let site = Site::start(&scene, |cache| cache.ttl(MINUTE), by_query).await;
    site.get("/a?x=1&y=2").await.assert(200, "x=1&y=2", "fwd");
    site.get("/a?y=2&x=1").await.assert(200, "x=1&y=2", "hit");
    site.get("/a?y=2&x=2").await.assert(200, "y=2&x=2", "fwd");
    let some = |cache: Builder| cache.ttl(MINUTE).query(QueryKey::Only(vec!["lat".to_owned()]));
    let site = Site::start(&scene, some, by_query).await;
    site.get("/b?lat=1&utm=7").await.assert(200, "lat=1&utm=7", "fwd");
    site.get("/b?utm=8&lat=1").await.assert(200, "lat=1&utm=7", "hit");
    site.get("/b?lat=2").await.assert(200, "lat=2", "fwd");
    let own = |cache: Builder| cache.ttl(MINUTE).key(|_| "all the same".to_owned());
    let site = Site::start(&scene, own, by_query).await;
    site.get("/c?1").await.assert(200, "1", "fwd");
    site.get("/d?2").await.assert(200, "1", "hit");
}

#[actix_web::test]
async fn some_statuses_are_stored_and_others_are_not() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |request, _| {
            let status: u16 = request.path()[1..].parse().unwrap();
            HttpResponse::new(StatusCode::from_u16(status).unwrap())
        },
    )
    .await;
    for (status, kept) in [
        (200, true),
        (204, true),
        (301, true),
        (201, false),
        (206, false),
        (302, false),
        (400, false),
        (403, false),
        (404, false),
        (410, false),
        (500, false),
        (503, false),
    ] {
        let path = format!("/{status}");
        // A client that follows no redirects.
        let http = http_client()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        for round in 0..2 {
            let got = Got::of(http.get(format!("{}{path}", site.url()))).await;
            assert_eq!(got.status, status);
            assert_eq!(got.is_hit(), kept && round == 1, "{got:?}");
        }
    }
}

#[actix_web::test]
async fn large_and_endless_bodies_are_streamed_through() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE).max_body(1_000),
        |request, _| match request.path() {
            "/large" => HttpResponse::Ok().body("x".repeat(1_001)),
            "/fits" => HttpResponse::Ok().body("x".repeat(1_000)),
            _ => HttpResponse::Ok().streaming(futures_util::stream::iter(
                ["a", "b"].map(|piece| Ok::<_, actix_web::Error>(Bytes::from_static(piece.as_bytes()))),
            )),
        },
    )
    .await;
    for _ in 0..2 {
        site.get("/large")
            .await
            .assert(200, &"x".repeat(1_001), "fwd=uri-miss; detail=too-large");
        site.get("/streamed")
            .await
            .assert(200, "ab", "fwd=uri-miss; detail=streamed");
    }
    site.get("/fits").await;
    assert!(site.get("/fits").await.is_hit());
    assert_eq!(site.calls(), 5);
}

#[actix_web::test]
async fn a_body_above_the_limit_is_not_stored() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |request, _| {
            let less = if request.path() == "/fits" { 1_024 } else { 0 };
            HttpResponse::Ok().body(vec![b'x'; (1 << 20) - less])
        },
    )
    .await;
    assert_eq!(site.get("/large").await.cache(), "fwd=uri-miss; detail=too-large");
    site.get("/fits").await;
    assert!(site.get("/fits").await.is_hit());
}

#[actix_web::test]
async fn only_if_cached_does_not_call_the_handler() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |_, n| HttpResponse::Ok().body(format!("{n}")),
    )
    .await;
    let only = [("cache-control", "only-if-cached")];
    let nothing = site.get_with("/a", &only).await;
    assert_eq!((nothing.status, nothing.cache()), (504, "detail=not-cached"));
    assert_eq!(nothing.header("content-type"), "application/problem+json");
    assert_eq!(site.calls(), 0);
    site.get("/a").await;
    site.get_with("/a", &only).await.assert(200, "1", "hit");
}
