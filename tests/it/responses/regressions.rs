//! Regressions: faults of the systems that this slice replaces, each shown to be gone.

use super::Site;
use super::site::after;
use crate::support::Scene;
use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use fleetpulse::response_cache::Builder;
use futures_util::future::join_all;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
static USER: HeaderName = HeaderName::from_static("x-user");

fn who(request: &actix_web::HttpRequest) -> String {
    let user = request.headers().get(&USER);
    user.map_or_else(|| "anonymous".to_owned(), |user| user.to_str().unwrap().to_owned())
}

#[actix_web::test]
async fn the_key_ignored_vary_so_one_user_saw_the_answer_of_another() {
    let scene = Scene::new().await;
    // The header is named by the rule, or only by the handler.
    for by_rule in [true, false] {
        let build = move |cache: Builder| {
            let cache = cache.ttl(MINUTE);
            if by_rule { cache.vary([USER.clone()]) } else { cache }
        };
        let site = Site::start(&scene, build, move |request, _| {
            let mut response = HttpResponse::Ok();
            if !by_rule {
                response.insert_header(("vary", "X-User"));
            }
            response.body(who(request))
        })
        .await;
        let path = format!("/{by_rule}");
        let ask = async |user: &str| {
            let got = site.get_with(&path, &[("x-user", user)]).await;
            assert_eq!((got.status, &*got.body), (200, user), "{got:?}");
            assert!(got.header("vary").eq_ignore_ascii_case("x-user"), "{got:?}");
            got
        };
        for _ in 0..3 {
            for user in ["anna", "bert", "carl"] {
                ask(user).await;
            }
        }
        for user in ["anna", "bert", "carl"] {
            assert!(ask(user).await.is_hit());
        }
        assert_eq!(site.get(&path).await.body, "anonymous");
        // One for each, and one more if only the first response named the header.
        assert_eq!(site.calls(), if by_rule { 4 } else { 5 });
    }
}

#[actix_web::test]
async fn concurrent_users_got_the_same_answer() {
    let scene = Scene::new().await;
    let site = Site::start_slow(
        &scene,
        |cache| cache.ttl(MINUTE),
        after(Duration::from_millis(50), |request, _| {
            HttpResponse::Ok().insert_header(("vary", "x-user")).body(who(request))
        }),
    )
    .await;
    let users: Vec<String> = (0..40).map(|n| format!("user-{}", n % 4)).collect();
    let asked = users
        .iter()
        .map(async |user| (user, site.get_with("/a", &[("x-user", user)]).await));
    for (user, got) in join_all(asked).await {
        assert_eq!(&got.body, user, "{got:?}");
    }
    // One for each, and the first one, which named the header.
    assert!(site.calls() <= 5, "{}", site.calls());
}

#[actix_web::test]
async fn every_no_cache_reached_the_database() {
    request_newer_responses(|cache| cache.ttl(MINUTE)).await;
}

#[actix_web::test]
async fn every_no_cache_reached_the_database_with_process_memory() {
    request_newer_responses(|cache| cache.ttl(MINUTE).local(MINUTE)).await;
}

async fn request_newer_responses(build: impl Fn(Builder) -> Builder + Clone + Send + 'static) {
    let scene = Scene::new().await;
    let site = Site::start(&scene, build, |_, n| HttpResponse::Ok().body(format!("{n}"))).await;
    let directives: [&[(&str, &str)]; 4] = [
        &[("cache-control", "no-cache")],
        &[("cache-control", "max-age=0")],
        &[("pragma", "no-cache")],
        &[("cache-control", "min-fresh=3600")],
    ];
    site.get("/a").await;
    let start = std::time::Instant::now();
    let mut asked = 0;
    while start.elapsed() < Duration::from_millis(2_200) {
        let round = join_all((0..8).map(|n| site.get_with("/a", directives[n % 4]))).await;
        assert!(round.iter().all(|got| got.status == 200));
        asked += round.len();
    }
    // A response of the last second is fresh enough for any request.
    assert!(asked > 40, "{asked}");
    assert!((2..=4).contains(&site.calls()), "{} of {asked}", site.calls());
    // After that the handler is called: once for all concurrent requests.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let before = site.calls();
    let all = join_all((0..50).map(|n| site.get_with("/a", directives[n % 4]))).await;
    assert_eq!(site.calls(), before + 1);
    let new = (before + 1).to_string();
    assert!(all.iter().all(|got| got.body == new), "{all:?}");
}
