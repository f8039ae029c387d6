//! How long an answer is fresh, and what is served when it no longer is.

use super::Site;
use crate::support::{Scene, eventually};
use actix_web::{HttpRequest, HttpResponse, web};
use fleetpulse::response_cache::Builder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(10);

#[actix_web::test]
async fn a_response_is_fresh_for_its_max_age() {
    let scene = Scene::new().await;
    let site = Site::start(
        &scene,
        |cache| cache.ttl(Duration::from_mins(1)),
        |request, n| {
            let said = request.path()[1..].to_owned();
            HttpResponse::Ok()
                .insert_header(("cache-control", said))
                .body(format!("{n}"))
        },
    )
    .await;
    site.get("/max-age=1").await.assert(200, "1", "fwd=uri-miss; stored");
    let kept = site.get("/max-age=1").await;
    kept.assert(200, "1", "hit; ttl=0");
    // The header of the handler is forwarded.
    assert_eq!(kept.header("cache-control"), "max-age=1");
    sleep(Duration::from_millis(1_050)).await;
    site.get("/max-age=1").await.assert(200, "2", "fwd=uri-miss; stored");
    site.get("/max-age=0")
        .await
        .assert(200, "3", "fwd=uri-miss; detail=no-lifetime");
    site.get("/max-age=0")
        .await
        .assert(200, "4", "fwd=uri-miss; detail=no-lifetime");
}

#[actix_web::test]
async fn a_client_can_limit_the_age_of_a_response() {
    let scene = Scene::new().await;
    let build = |cache: Builder| {
        let cache = cache.ttl(Duration::from_secs(1)).floor(Duration::from_millis(100));
        cache.stale_if_error(Duration::from_mins(1))
    };
    let site = Site::start(&scene, build, |_, n| HttpResponse::Ok().body(format!("{n}"))).await;
    let ask = async |said| site.get_with("/a", &[("cache-control", said)]).await;
    ask("").await.assert(200, "1", "fwd=uri-miss");
    ask("max-age=60").await.assert(200, "1", "hit");
    sleep(Duration::from_millis(150)).await;
    ask("min-fresh=1").await.assert(200, "2", "fwd=request; stored");
    sleep(Duration::from_millis(1_050)).await;
    // Stale, and stored for the case of an error.
    ask("max-stale=60").await.assert(200, "2", "hit; ttl=-1");
    ask("max-stale").await.assert(200, "2", "hit; ttl=-1");
    ask("max-stale=0").await.assert(200, "3", "fwd=stale; stored");
}

#[actix_web::test]
async fn a_stale_response_is_served_at_once_and_revalidated_in_the_background() {
    let scene = Scene::new().await;
    let gate = Arc::new(Semaphore::new(1));
    let behind = Arc::clone(&gate);
    let build = |cache: Builder| {
        let cache = cache.ttl(Duration::from_millis(200)).any_host();
        cache.stale_while_revalidate(Duration::from_mins(1))
    };
    let site = Site::start_slow(&scene, build, move |request, n| {
        let gate = Arc::clone(&behind);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            // A handler that runs in the background has the same data as any other call.
            let known = request.app_data::<web::Data<&'static str>>().unwrap();
            let user = request.headers().get("x-user").unwrap().to_str().unwrap();
            HttpResponse::Ok().body(format!("{n} for {user}, {}", known.get_ref()))
        })
    })
    .await;
    let ask = async || site.get_with("/a", &[("x-user", "anna")]).await;
    ask()
        .await
        .assert(200, "1 for anna, known to the application", "fwd=uri-miss; stored");
    sleep(Duration::from_millis(250)).await;
    // The handler waits at the gate, and no request waits for it.
    let asked = Instant::now();
    for _ in 0..10 {
        ask()
            .await
            .assert(200, "1 for anna, known to the application", "hit; ttl=-");
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    eventually(SOON, "it is fetched", async || (site.calls() == 2).then_some(())).await;
    gate.add_permits(1_000);
    let new = eventually(SOON, "there is a new one", async || {
        let got = ask().await;
        got.body.starts_with('2').then_some(got)
    })
    .await;
    assert!(new.is_hit(), "{new:?}");
}

#[actix_web::test]
async fn a_stale_response_is_served_on_error_for_as_long_as_allowed() {
    let scene = Scene::new().await;
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let build = |cache: Builder| {
        let cache = cache.ttl(Duration::from_millis(100)).floor(Duration::ZERO);
        cache.stale_if_error(Duration::from_millis(1_500))
    };
    let site = Site::start(&scene, build, move |request: &HttpRequest, _| {
        if failing.load(Ordering::SeqCst) {
            return HttpResponse::BadGateway().body("broken");
        }
        let mut response = HttpResponse::Ok();
        if request.path() == "/strict" {
            response.insert_header(("cache-control", "max-age=1, must-revalidate"));
        }
        response.body("whole")
    })
    .await;
    site.get("/a").await.assert(200, "whole", "fwd");
    site.get("/strict").await.assert(200, "whole", "fwd");
    fails.store(true, Ordering::SeqCst);
    site.get("/b").await.assert(502, "broken", "fwd=uri-miss");
    sleep(Duration::from_millis(150)).await;
    let stale = site.get("/a").await;
    stale.assert(200, "whole", "fwd=stale; fwd-status=502; detail=stale-if-error");
    assert!(!stale.header("age").is_empty(), "{stale:?}");
    site.get_with("/a", &[("cache-control", "no-cache")])
        .await
        .assert(200, "whole", "fwd=stale; fwd-status=502");
    sleep(Duration::from_millis(1_600)).await;
    site.get("/a").await.assert(502, "broken", "fwd");
    site.get("/strict").await.assert(502, "broken", "fwd");
    fails.store(false, Ordering::SeqCst);
    // A failure is not stored.
    site.get("/a").await.assert(200, "whole", "fwd=uri-miss; stored");
}
