//! Handlers that confirm stored responses (304).

use super::Site;
use crate::support::Scene;
use actix_web::{HttpRequest, HttpResponse};
use fleetpulse::response_cache::Builder;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// A handler whose response has the number of the call, and which answers 304 to a client that has the response.
fn confirming(request: &HttpRequest, n: usize) -> HttpResponse {
    let has = request
        .headers()
        .get("if-none-match")
        .is_some_and(|tag| tag == "\"v1\"");
    let mut response = if has {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header(("etag", "\"v1\""))
        .insert_header(("x-n", n.to_string()));
    if has { response.finish() } else { response.body("whole") }
}

#[actix_web::test]
async fn a_stored_response_is_revalidated_with_the_handler() {
    let scene = Scene::new().await;
    let build = |cache: Builder| cache.ttl(MINUTE).floor(Duration::ZERO);
    let site = Site::start(&scene, build, confirming).await;
    site.get("/a").await.assert(200, "whole", "fwd=uri-miss; stored");
    let confirmed = site.get_with("/a", &[("cache-control", "no-cache")]).await;
    confirmed.assert(200, "whole", "fwd=request");
    assert!(confirmed.cache().contains("stored"), "{confirmed:?}");
    assert_eq!(confirmed.header("x-n"), "2");
    let kept = site.get("/a").await;
    kept.assert(200, "whole", "hit");
    assert_eq!(kept.header("x-n"), "2");
    site.get_with("/a", &[("if-none-match", "\"v1\""), ("cache-control", "no-cache")])
        .await
        .assert(304, "", "fwd=request");
}

#[actix_web::test]
async fn a_condition_is_about_the_response_and_not_about_its_confirmation() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| {
            let cache = cache.ttl(MINUTE).floor(Duration::ZERO);
            cache.condition(|response| response.status == 200 && response.headers().contains_key("x-n"))
        },
        confirming,
    )
    .await;
    site.get("/a").await.assert(200, "whole", "fwd=uri-miss; stored");
    let confirmed = site.get_with("/a", &[("cache-control", "no-cache")]).await;
    confirmed.assert(200, "whole", "fwd=request");
    assert!(confirmed.cache().contains("; stored"), "{confirmed:?}");
    let kept = site.get("/a").await;
    kept.assert(200, "whole", "hit");
    assert_eq!(kept.header("x-n"), "2");
}

#[actix_web::test]
async fn cache_status_has_the_status_of_the_handler_if_the_client_gets_another() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE).floor(Duration::ZERO),
        |request, n| {
            if request.path() == "/alone" {
                let mut response = HttpResponse::Ok();
                response
                    .insert_header(("etag", "\"v1\""))
                    .insert_header(("cache-control", "private"));
                return response.body("mine");
            }
            confirming(request, n)
        },
    )
    .await;
    let has = ("if-none-match", "\"v1\"");
    let fresh = ("cache-control", "no-cache");
    let ask = async |path: &str, headers: &[(&str, &str)], status: u16, cache: &str| {
        let got = site.get_with(path, headers).await;
        assert_eq!((got.status, got.cache()), (status, cache), "{got:?}");
    };
    ask("/a", &[has], 304, "fwd=uri-miss; fwd-status=200; stored").await;
    ask("/a", &[fresh], 200, "fwd=request; fwd-status=304; stored").await;
    ask("/a", &[fresh, has], 304, "fwd=request; stored").await;
    ask("/b", &[], 200, "fwd=uri-miss; stored").await;
    ask("/alone", &[], 200, "fwd=uri-miss; detail=uncacheable").await;
    ask(
        "/alone",
        &[has],
        304,
        "fwd=uri-miss; fwd-status=200; detail=uncacheable",
    )
    .await;
}
