//! Calls that are repeated, and calls that are not.

use super::{SOON, builder, client};
use crate::support::{HttpAnswer, Proxy, Receiver, Scene, Trouble, eventually};
use fleetpulse_client::inventory::{Adjustment, Stock};
use fleetpulse_client::tracking::{Kind, NearbyQuery};
use fleetpulse_client::{Client, Error, RetryPolicy};
use std::time::{Duration, Instant};
use tokio::join;

/// Retries for long enough on a busy machine, with short delays.
fn patient() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 1_000,
        base_backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(50),
        total_timeout: Duration::from_mins(1),
        ..RetryPolicy::default()
    }
}

/// The idempotency key of each request.
fn keys(receiver: &Receiver) -> Vec<Option<String>> {
    let requests = receiver.received();
    requests
        .iter()
        .map(|request| request.headers.get("idempotency-key").cloned())
        .collect()
}

fn unavailable(retry_after: &str) -> HttpAnswer {
    HttpAnswer(503, vec![("retry-after", retry_after.to_owned())], Duration::ZERO)
}

#[actix_web::test]
async fn a_limited_call_is_retried_after_the_time_in_the_answer() {
    let limits = ["--limits=api=gcra:60/1m,burst=1", "--limit-requests=/v1=api"];
    let scene = Scene::new().await.with(&limits);
    let service = scene.start().await;
    let client = client(&service);
    let drivers = client.tracking(Kind::Drivers);
    let query = NearbyQuery::new(1.0, 1.0);
    let began = Instant::now();
    for _ in 0..3 {
        drivers.nearby(&query).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_secs(1));

    let hasty = builder(&service.url()).retry(RetryPolicy::never()).build().unwrap();
    let hasty = hasty.tracking(Kind::Drivers);
    let refused = loop {
        if let Err(error) = hasty.nearby(&query).await {
            break error;
        }
    };
    let problem = refused.problem().unwrap();
    assert_eq!((problem.status, problem.name()), (429, "too_many_requests"));
    assert_eq!(problem.retry_after, Some(Duration::from_secs(1)));
}

#[actix_web::test]
async fn a_call_succeeds_when_redis_is_back() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(&scene.redis.url()).await;
    let scene = scene.with(&[&format!("--redis-url={}", proxy.url())]);
    let service = scene.start().await;
    let client = builder(&service.url()).retry(patient()).build().unwrap();
    let inventory = client.inventory();
    proxy.cut();
    let direct = service.drivers();
    let mend = async {
        eventually(SOON, "the service notices", async || {
            (direct.get("/v1/inventory/seat").await.status == 503).then_some(())
        })
        .await;
        proxy.mend();
    };
    let stock = Stock::new(5);
    let (put, ()) = join!(inventory.put_item("seat", &stock), mend);
    assert_eq!(put.unwrap().quantity, 5);
}

#[actix_web::test]
async fn a_call_whose_answer_was_lost_has_its_effect_once() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let straight = client(&service);
    straight.inventory().put_item("seat", &Stock::new(5)).await.unwrap();
    let proxy = Proxy::to(&service.url().replace("http", "redis")).await;
    let url = proxy.url().replace("redis", "http");
    let client = builder(&url).retry(patient()).build().unwrap();
    proxy.trouble(Trouble::CutAnswers);
    let mend = async {
        eventually(SOON, "the adjustment arrives", async || {
            let item = straight.inventory().item("seat").await.unwrap().unwrap();
            (item.quantity == 8).then_some(())
        })
        .await;
        proxy.mend();
    };
    let adjustment = Adjustment::new(3);
    let inventory = client.inventory();
    let (adjusted, ()) = join!(inventory.adjust_item("seat", &adjustment), mend);
    assert_eq!(adjusted.unwrap().quantity, 8);
    let item = straight.inventory().item("seat").await.unwrap().unwrap();
    assert_eq!(item.quantity, 8);
}

#[actix_web::test]
async fn attempts_send_the_same_idempotency_key_and_are_bounded() {
    let receiver = Receiver::start();
    receiver.answer_with([unavailable("0"), unavailable("0"), unavailable("0")]);
    let policy = RetryPolicy {
        max_attempts: 3,
        ..patient()
    };
    let client = builder(&receiver.url).retry(policy).build().unwrap();
    let failed = client.inventory().adjust_item("seat", &Adjustment::new(1)).await;
    assert_eq!(failed.unwrap_err().status(), Some(503));
    let sent = keys(&receiver);
    assert_eq!(sent.len(), 3);
    assert!(sent[0].is_some() && sent.iter().all(|key| *key == sent[0]), "{sent:?}");

    let own = client.with_idempotency_key("delivery 9").unwrap();
    receiver.answer_with([unavailable("0")]);
    own.inventory()
        .adjust_item("seat", &Adjustment::new(1))
        .await
        .unwrap_err();
    let key = Some("delivery 9".to_owned());
    assert_eq!(keys(&receiver)[3..], [key.clone(), key]);
}

#[actix_web::test]
async fn a_post_that_is_not_safe_to_repeat_is_sent_once_and_without_a_key() {
    let receiver = Receiver::start();
    receiver.answer_with([unavailable("0")]);
    let client = builder(&receiver.url).retry(patient()).build().unwrap();
    let failed = client.limits().check("login", "ada", 1).await;
    assert_eq!(failed.unwrap_err().status(), Some(503));
    assert_eq!(keys(&receiver), [None]);
}

#[actix_web::test]
async fn a_call_waits_for_retry_after_and_fails_at_once_if_that_takes_too_long() {
    let receiver = Receiver::start();
    let client = builder(&receiver.url).retry(patient()).build().unwrap();
    let locks = client.locks();
    receiver.answer_with([unavailable("1")]);
    let start = Instant::now();
    // The receiver answers 204 then, which has no holder.
    assert!(matches!(locks.holder("a").await, Err(Error::Decode(_))));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(receiver.received().len(), 2);

    receiver.answer_with([unavailable("3600")]);
    let failed = locks.holder("a").await;
    assert_eq!(
        failed.unwrap_err().problem().unwrap().retry_after,
        Some(Duration::from_hours(1))
    );
    assert_eq!(receiver.received().len(), 3);
}

#[actix_web::test]
async fn no_answer_is_a_timeout_and_no_connection_a_transport_error() {
    let receiver = Receiver::start();
    receiver.answer_with([HttpAnswer(204, Vec::new(), Duration::from_mins(1))]);
    let once = |url: &str| Client::builder(url).retry(RetryPolicy::never());
    let client = once(&receiver.url).timeout(Duration::from_millis(200)).build().unwrap();
    let failed = client.tracking(Kind::Drivers).delete_position("d-1").await;
    assert!(matches!(failed, Err(Error::Timeout(_))), "{failed:?}");
    // Nothing listens on the privileged port 1.
    let client = once("http://127.0.0.1:1").build().unwrap();
    let failed = client.tracking(Kind::Drivers).delete_position("d-1").await;
    assert!(matches!(failed, Err(Error::Transport(_))), "{failed:?}");
}
