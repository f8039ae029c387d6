//! The limits on the service's own requests.

use super::{ask, stored};
use crate::support::{Api, Document, Scene, Service, eventually};
use redis::cmd;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

const NEARBY: &str = "/v1/drivers/nearby?lat=1&lon=1";
/// Three requests, and one more in six minutes.
const SLOW: &str = "--limits=api=gcra:10/1h,burst=3";
const SOON: Duration = Duration::from_secs(10);

async fn get(api: &Api, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = api.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Returns how many of ten requests are admitted.
async fn admitted(api: &Api, path: &str, headers: &[(&str, &str)]) -> usize {
    let mut admitted = 0;
    for _ in 0..10 {
        admitted += usize::from(get(api, path, headers).await.status() != 429);
    }
    admitted
}

#[actix_web::test]
async fn a_limited_answer_has_the_remaining_units_and_a_429_has_retry_after() {
    let scene = Scene::new().await.with(&[SLOW, "--limit-requests=/v1=api"]);
    let service = scene.start().await;
    let api = service.drivers();
    for left in [2, 1, 0] {
        let answer = get(&api, NEARBY, &[]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"api\";q=3;w=1080"));
        assert_eq!(header(&answer, "ratelimit"), Some(&*format!("\"api\";r={left};t=360")));
    }
    let refused = get(&api, NEARBY, &[]).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "content-type"), Some("application/problem+json"));
    assert_eq!(header(&refused, "ratelimit-policy"), Some("\"api\";q=3;w=1080"));
    assert_eq!(header(&refused, "ratelimit"), Some("\"api\";r=0;t=360"));
    // The draft: not earlier than `t`.
    assert_eq!(header(&refused, "retry-after"), Some("360"));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(
        (&problem["status"], &problem["violated-policies"]),
        (&json!(429), &json!(["api"]))
    );
    let document = Document::of(&api).await;
    document.has("get /v1/{kind}/nearby", 429, &problem);
    let metrics = get(&api, "/metrics", &[]).await;
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("fleetpulse_limited_requests_total{policy=\"api\"} 1"),
        "{metrics}"
    );
}

#[actix_web::test]
async fn without_a_rule_nothing_is_limited_and_no_header_is_sent() {
    let scene = Scene::new().await.with(&[SLOW]);
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(admitted(&api, NEARBY, &[]).await, 10);
    assert_eq!(header(&get(&api, NEARBY, &[]).await, "ratelimit"), None);
}

#[actix_web::test]
async fn the_longest_prefix_decides_and_other_paths_are_not_limited() {
    let rules = "--limit-requests=/v1/users=few; /v1=api";
    let limits = "--limits=api=gcra:10/1h,burst=3; few=gcra:10/1h,burst=1";
    let scene = Scene::new().await.with(&[limits, rules]);
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(admitted(&api, "/health", &[]).await, 10);
    assert_eq!(admitted(&api, "/v1", &[]).await, 3, "also where there is nothing");
    assert_eq!(admitted(&api, NEARBY, &[]).await, 0, "one rule, one count");
    // In any spelling of the path: the router reads these as /v1/users/…
    assert_eq!(admitted(&api, "/v1/%75sers/nearby?lat=1&lon=1", &[]).await, 1);
    assert_eq!(admitted(&api, "/v1/users/nearby?lat=1&lon=1", &[]).await, 0);
    assert_eq!(admitted(&api, "/v10", &[]).await, 10, "another name that begins alike");
}

#[actix_web::test]
async fn callers_behind_a_trusted_proxy_are_distinguished_by_address_and_key() {
    let proxied = [
        "--trusted-proxies=127.0.0.0/8, 10.0.0.0/8",
        "--caller-key-header=x-api-key",
    ];
    let scene = Scene::new()
        .await
        .with(&[SLOW, "--limit-requests=/v1=api"])
        .with(&proxied);
    let service = scene.start().await;
    let api = service.drivers();
    let anna = [("x-forwarded-for", "198.51.100.1")];
    assert_eq!(admitted(&api, NEARBY, &anna).await, 3);
    // The entries that a caller adds are on the left, and change nothing.
    let spoofed = [("x-forwarded-for", "203.0.113.77, 198.51.100.1, 10.0.0.3")];
    assert_eq!(admitted(&api, NEARBY, &spoofed).await, 0);
    assert_eq!(admitted(&api, NEARBY, &[("x-forwarded-for", "198.51.100.2")]).await, 3);
    // One subscriber has a whole /64.
    assert_eq!(admitted(&api, NEARBY, &[("x-forwarded-for", "2001:db8::1")]).await, 3);
    assert_eq!(
        admitted(&api, NEARBY, &[("x-forwarded-for", "[2001:db8::2]:99")]).await,
        0
    );
    // A key that the proxy has checked counts instead of the address.
    assert_eq!(
        admitted(
            &api,
            NEARBY,
            &[("x-forwarded-for", "198.51.100.1"), ("x-api-key", "k1")]
        )
        .await,
        3
    );
    // An invalid value is attributed to the proxy itself.
    assert_eq!(admitted(&api, NEARBY, &[("x-forwarded-for", "unknown")]).await, 3);
    assert_eq!(admitted(&api, NEARBY, &[("x-forwarded-for", "")]).await, 0);

    // The counts in Redis contain no caller's key.
    let names = eventually(SOON, "all callers are settled", async || {
        Some(stored(&scene).await).filter(|names| names.len() == 5)
    })
    .await;
    assert!(names.iter().all(|name| !name.contains("k1}")), "{names:?}");
    for name in names {
        let lives_ms: i64 = scene.redis.query(cmd("PTTL").arg(&name)).await;
        assert!((1..=1_081_000).contains(&lives_ms), "{name}: {lives_ms}");
    }
}

#[actix_web::test]
async fn checks_can_be_limited_like_any_other_call() {
    let scene = Scene::new().await.with(&[SLOW, "--limit-requests=/v1/limits=api"]);
    let service = scene.start().await;
    let api = service.drivers();
    let body = json!({"policy": "api", "key": "127.0.0.1"});
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&api, body.clone()).await.status);
    }
    // A check of the same name has a count of its own.
    assert_eq!(statuses, [200, 200, 200, 429]);
}

/// Sends to the instances in turn for some time; returns how many were admitted, and in how long.
async fn hammer(services: &[&Service], time: Duration) -> (u32, Duration) {
    let apis: Vec<Api> = services.iter().map(|service| service.drivers()).collect();
    let (begun, mut admitted) = (Instant::now(), 0);
    while begun.elapsed() < time {
        for api in &apis {
            admitted += u32::from(get(api, NEARBY, &[]).await.status() == 200);
        }
    }
    (admitted, begun.elapsed())
}

#[actix_web::test]
async fn instances_settle_what_they_admit_and_keep_one_rate_together() {
    let limits = ["--limits=api=gcra:50/1s,burst=10", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let (one, other) = (scene.start().await, scene.start().await);
    let (admitted, took) = hammer(&[&one, &other], Duration::from_secs(3)).await;
    // A burst at each instance, then one rate for both, with the deviation that each admits between two settlements. Two that
    // share no counts would admit 320.
    let rate = took.as_secs_f64() * 50.0;
    let most = 20.0 + rate + 2.0 * 0.2 * 50.0;
    assert!(f64::from(admitted) <= most, "{admitted} > {most}");
    assert!(f64::from(admitted) >= rate * 0.8, "{admitted} < {rate}");
}

#[actix_web::test]
async fn an_instance_takes_over_what_another_has_admitted() {
    let scene = Scene::new().await.with(&[SLOW, "--limit-requests=/v1=api"]);
    let (one, other) = (scene.start().await, scene.start().await);
    assert_eq!(admitted(&one.drivers(), NEARBY, &[]).await, 3);
    eventually(SOON, "it is settled", async || {
        (stored(&scene).await.len() == 1).then_some(())
    })
    .await;
    // It has the total once it has admitted a request itself and settled that.
    assert_eq!(get(&other.drivers(), NEARBY, &[]).await.status(), 200);
    eventually(SOON, "what was admitted too much is waited for", async || {
        let refused = get(&other.drivers(), NEARBY, &[]).await;
        let wait_s: u32 = header(&refused, "retry-after")?.parse().unwrap();
        // By its own count alone it would never be more.
        (wait_s > 360).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_last_admissions_are_settled_when_an_instance_stops() {
    let scene = Scene::new().await.with(&[SLOW, "--limit-requests=/v1=api"]);
    let service = scene.start().await;
    assert_eq!(get(&service.drivers(), NEARBY, &[]).await.status(), 200);
    drop(service);
    assert_eq!(stored(&scene).await.len(), 1);
}

/// Sends to each instance once in each period for some time; returns how many were admitted and refused, and in how long.
async fn pace(services: &[&Service], period: Duration, time: Duration) -> (u32, u32, Duration) {
    let apis: Vec<Api> = services.iter().map(|service| service.drivers()).collect();
    let (begun, mut admitted, mut refused) = (Instant::now(), 0, 0);
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while begun.elapsed() < time {
        ticks.tick().await;
        for api in &apis {
            let status = get(api, NEARBY, &[]).await.status();
            *(if status == 429 { &mut refused } else { &mut admitted }) += 1;
        }
    }
    (admitted, refused, begun.elapsed())
}

#[actix_web::test]
async fn a_caller_above_the_total_rate_is_limited() {
    let limits = ["--limits=api=gcra:20/1s,burst=3", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let (one, other) = (scene.start().await, scene.start().await);
    let (admitted, refused, took) = pace(&[&one, &other], Duration::from_millis(70), Duration::from_secs(3)).await;
    let most = 6.0 + (took.as_secs_f64() + 0.2) * 20.0;
    assert!(f64::from(admitted) <= most, "{admitted} > {most}, {refused} refused");
    assert!(refused > 0);
}

#[actix_web::test]
async fn a_caller_within_the_policy_is_never_refused() {
    // A burst that drains in less time than passes between two settlements.
    let limits = ["--limits=api=gcra:500/1s,burst=20", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let service = scene.start().await;
    let (admitted, refused, _) = pace(&[&service], Duration::from_millis(3), Duration::from_millis(1_500)).await;
    assert_eq!(refused, 0, "of {admitted}");
}
