//! Invalid headers.

use super::Site;
use crate::support::Scene;
use actix_web::HttpResponse;
use actix_web::http::header::ACCEPT_LANGUAGE;
use fleetpulse::response_cache::Builder;
use std::time::Duration;

#[actix_web::test]
async fn no_header_causes_a_failure() {
    let scene = Scene::new().await;
    let build = |cache: Builder| cache.ttl(Duration::from_mins(1)).vary([ACCEPT_LANGUAGE]);
    let site = Site::start(&scene, build, |_, _| HttpResponse::Ok().body("fine")).await;
    let huge = "max-age=9,".repeat(3_000);
    let commas = ",".repeat(30_000);
    let quotes = "\"a,".repeat(9_001);
    let escapes = format!("x=\"{}", "\\".repeat(20_000));
    let tags = "W/\"x\",".repeat(5_000);
    let many_digits = format!("max-age={}", "9".repeat(20_000));
    for (name, value) in [
        ("cache-control", &*huge),
        ("cache-control", &*commas),
        ("cache-control", &*quotes),
        ("cache-control", &*escapes),
        ("cache-control", &*many_digits),
        ("cache-control", "max-age=-1, min-fresh=x, max-stale=\"\""),
        ("cache-control", "=, =x, ;, \"\", max-age"),
        ("cache-control", "\u{e9}\u{fc}"),
        ("pragma", &*quotes),
        ("if-none-match", &*tags),
        ("if-none-match", &*quotes),
        ("if-none-match", "\u{e9}"),
        ("if-modified-since", "Mon, 99 Foo 99999 99:99:99 GMT"),
        ("if-modified-since", &*commas),
        ("accept-language", &*huge),
        ("accept-language", "\u{e9}"),
        ("range", "bytes=--"),
    ] {
        for _ in 0..2 {
            let got = site.get_with("/a", &[(name, value)]).await;
            assert_eq!((got.status, got.body.as_str()), (200, "fine"), "{name}: {value:.40}");
        }
    }
    let long = format!("/{}?{}", "a/".repeat(2_000), "x=1&".repeat(2_000));
    site.get(&long).await.assert(200, "fine", "fwd=uri-miss; stored");
    site.get(&long).await.assert(200, "fine", "hit");
}

#[actix_web::test]
async fn invalid_headers_of_a_handler_are_treated_as_uncacheable() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(Duration::from_mins(1)),
        |request, n| {
            let said = request.headers().get("x-say").unwrap().clone();
            HttpResponse::Ok()
                .insert_header(("cache-control", said))
                .body(format!("{n}"))
        },
    )
    .await;
    for (at, said) in [
        "max-age=x",
        "max-age=",
        "s-maxage=\"",
        "x=\"a, private",
        "max-age=99999, max-age=0",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{at}");
        for _ in 0..2 {
            let got = site.get_with(&path, &[("x-say", said)]).await;
            assert!(!got.is_hit(), "{said}: {got:?}");
        }
    }
    for (at, said) in ["unheard-of", "max-age=\"60\"", "max-age=99999999999999999999", ",,,"]
        .iter()
        .enumerate()
    {
        let path = format!("/good/{at}");
        site.get_with(&path, &[("x-say", said)]).await;
        assert!(site.get_with(&path, &[("x-say", said)]).await.is_hit(), "{said}");
    }
}
