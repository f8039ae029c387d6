//! Responses for a single caller.

use super::Site;
use super::site::after;
use crate::support::Scene;
use actix_web::{HttpRequest, HttpResponse};
use fleetpulse::response_cache::Builder;
use futures_util::future::join_all;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const ANNA: (&str, &str) = ("authorization", "Bearer anna");
const BERT: (&str, &str) = ("authorization", "Bearer bert");

fn who(request: &HttpRequest) -> String {
    let user = request.headers().get("authorization");
    user.map_or_else(|| "anonymous".to_owned(), |user| user.to_str().unwrap().to_owned())
}

#[actix_web::test]
async fn an_authorized_answer_is_not_shared() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |request, _| {
            HttpResponse::Ok()
                .insert_header(("cache-control", "max-age=60"))
                .body(who(request))
        },
    )
    .await;
    for (who, body) in [(ANNA, "Bearer anna"), (BERT, "Bearer bert"), (ANNA, "Bearer anna")] {
        site.get_with("/a", &[who])
            .await
            .assert(200, body, "fwd=uri-miss; detail=authorized");
    }
    // The same applies to requests without it, in either direction.
    site.get("/a").await.assert(200, "anonymous", "fwd=uri-miss; stored");
    site.get("/a").await.assert(200, "anonymous", "hit");
    site.get_with("/a", &[ANNA]).await.assert(200, "Bearer anna", "fwd");
    assert_eq!(site.calls(), 5);
}

#[actix_web::test]
async fn an_authorized_answer_is_shared_if_the_response_or_the_rule_allows_it() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache,
        |request, _| {
            let said = format!("{}, max-age=60", &request.path()[1..]);
            HttpResponse::Ok()
                .insert_header(("cache-control", said))
                .body(who(request))
        },
    )
    .await;
    for said in ["public", "must-revalidate", "s-maxage=60"] {
        let path = format!("/{said}");
        site.get_with(&path, &[ANNA])
            .await
            .assert(200, "Bearer anna", "fwd=uri-miss; stored");
        site.get_with(&path, &[BERT]).await.assert(200, "Bearer anna", "hit");
        site.get(&path).await.assert(200, "Bearer anna", "hit");
    }
    let build = |cache: Builder| cache.ttl(MINUTE).share_authorized();
    let site = Site::start(&scene, build, |request, _| HttpResponse::Ok().body(who(request))).await;
    site.get_with("/rule", &[ANNA])
        .await
        .assert(200, "Bearer anna", "fwd=uri-miss; stored");
    site.get_with("/rule", &[BERT]).await.assert(200, "Bearer anna", "hit");
}

#[actix_web::test]
async fn an_answer_that_sets_a_cookie_is_not_shared_unless_allowed() {
    let scene = Scene::new().await;
    let handler = |_: &HttpRequest, n: usize| {
        HttpResponse::Ok()
            .insert_header(("set-cookie", format!("session={n}")))
            .body(format!("{n}"))
    };
    let site = Site::start(&scene, |cache| cache.ttl(MINUTE), handler).await;
    for n in ["1", "2", "3"] {
        site.get("/a").await.assert(200, n, "fwd=uri-miss; detail=sets-cookie");
    }
    let site = Site::start(&scene, |cache| cache.ttl(MINUTE).share_cookies(), handler).await;
    site.get("/b").await.assert(200, "1", "fwd=uri-miss; stored");
    let kept = site.get("/b").await;
    kept.assert(200, "1", "hit");
    assert_eq!(kept.header("set-cookie"), "session=1");
}

#[actix_web::test]
async fn a_private_response_is_not_shared_even_with_followers() {
    let scene = Scene::new().await;
    let site = Site::start_slow(
        &scene,
        |cache| cache.ttl(MINUTE),
        after(Duration::from_millis(30), |request, n| {
            let said = request.path()[1..].to_owned();
            HttpResponse::Ok()
                .insert_header(("cache-control", said))
                .body(format!("{n}"))
        }),
    )
    .await;
    for said in ["private", "no-store", "no-cache", "private=x"] {
        let path = format!("/{said}");
        let all = join_all((0..10).map(|_| site.get(&path))).await;
        let mut bodies: Vec<_> = all.iter().map(|got| got.body.clone()).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 10, "{said}: {all:?}");
        assert!(all.iter().all(|got| !got.is_hit()));
        assert!(!site.get(&path).await.is_hit());
    }
}

#[actix_web::test]
async fn a_no_store_request_leaves_nothing_in_the_cache() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(MINUTE),
        |_, n| HttpResponse::Ok().body(format!("{n}")),
    )
    .await;
    let keep_nothing = [("cache-control", "no-store")];
    site.get_with("/a", &keep_nothing)
        .await
        .assert(200, "1", "fwd=uri-miss");
    site.get("/a").await.assert(200, "2", "fwd=uri-miss; stored");
    // It may get a stored response.
    site.get_with("/a", &keep_nothing).await.assert(200, "2", "hit");
}
