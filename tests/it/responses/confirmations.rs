//! Handlers that say that what is kept still holds.

use super::Site;
use crate::support::Scene;
use actix_web::{HttpRequest, HttpResponse};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// What says which call it is of, and 304 to whoever has it.
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
