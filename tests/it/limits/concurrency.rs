//! Hundreds of concurrent callers over several instances, with clients that disconnect and a Redis that is killed in the middle.
//! Afterwards the counts are checked: no more was admitted than the policy allows, and nothing was counted that no client requested.

use super::check;
use crate::support::{Api, Folder, Redis, Scene, ServiceProcess, eventually, now_ms};
use futures_util::future::{join, join_all};
use nix::sys::signal::{Signal, kill};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(20);
const CALLS: usize = 10;
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// All fail closed: a policy that fails open admits without a bound while Redis is unavailable, and reports it.
const LIMITS: &str = "--limits=sliding=window:150/1h; even=gcra:10/1h,burst=150; brief=window:20/300ms";
const POLICIES: [&str; 3] = ["sliding", "even", "brief"];
const BRIEF: (usize, i64) = (20, 300);

/// One admitted unit: between which moments, Unix ms.
type Span = (i64, i64);

/// The answers that clients received about one key under one policy.
#[derive(Debug, Default)]
struct Book {
    admitted: Vec<Span>,
    /// Calls without a decision of Redis: they may have been counted.
    unknown: usize,
}

type Books = HashMap<(&'static str, &'static str), Book>;

async fn one_call(api: &Api, policy: &'static str, key: &'static str, books: &Mutex<Books>) {
    let body = json!({"policy": policy, "key": key});
    let request = api.request(Method::POST, "/v1/limits/check").json(&body).send();
    let (sent, hangs_up) = (now_ms(), rand::random_bool(0.2));
    let patience = Duration::from_millis(if hangs_up { rand::random_range(0..8) } else { 30_000 });
    let answer: Option<Value> = match timeout(patience, request).await {
        Ok(answer) => Some(answer.unwrap().json().await.unwrap()),
        Err(_) => None,
    };
    let received = now_ms() + 1;
    let mut books = books.lock().await;
    let book = books.entry((policy, key)).or_default();
    match answer {
        Some(answer) if answer["degraded"] != true => {
            if answer["allowed"] == true {
                book.admitted.push((sent, received));
            }
        }
        Some(answer) => {
            assert_eq!(answer["allowed"], false, "it fails closed");
            book.unknown += 1;
        }
        None => book.unknown += 1,
    }
}

/// Concurrent callers at the instances in turn; `strike` is called when a third and two thirds of the calls are done.
async fn storm(apis: &[Api], tasks: usize, mut strike: impl AsyncFnMut()) -> Books {
    let (books, done) = (Mutex::new(Books::new()), AtomicUsize::new(0));
    let callers = (0..tasks).map(async |n| {
        for _ in 0..CALLS {
            let policy = POLICIES[rand::random_range(0..POLICIES.len())];
            let key = KEYS[rand::random_range(0..KEYS.len())];
            one_call(&apis[n % apis.len()], policy, key, &books).await;
            done.fetch_add(1, Ordering::Relaxed);
            // With this pause the calls last longer than the outage of Redis.
            sleep(Duration::from_millis(rand::random_range(0..150))).await;
        }
    });
    let striking = async {
        for third in 1..=2 {
            while done.load(Ordering::Relaxed) < third * tasks * CALLS / 3 {
                sleep(Duration::from_millis(5)).await;
            }
            strike().await;
        }
    };
    join(join_all(callers), striking).await;
    books.into_inner()
}

async fn balance(api: &Api, books: &Books, begun: Instant) {
    assert!(books.values().any(|book| !book.admitted.is_empty()));
    for ((policy, key), book) in books {
        match *policy {
            "brief" => brief_is_kept(key, &book.admitted),
            _ => balanced(api, policy, key, book, begun).await,
        }
    }
}

#[actix_web::test]
async fn no_more_is_admitted_than_the_policy_allows_under_faults() {
    let scene = Scene::on(Redis::synced().await).with(&[LIMITS, "--redis-timeout=300"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let (apis, begun) = ([one.drivers(), other.drivers()], Instant::now());
    let mut redis = scene.redis;
    let books = storm(&apis, 300, async || {
        redis.kill();
        sleep(Duration::from_millis(100)).await;
        redis.restart().await;
    })
    .await;
    balance(&apis[0], &books, begun).await;
}

#[actix_web::test]
async fn costs_above_one_never_exceed_the_quota() {
    const MOST: u32 = 7;
    let scene = Scene::new().await.with(&[LIMITS]);
    let (one, other) = (scene.start().await, scene.start().await);
    let apis = [one.drivers(), other.drivers()];
    for policy in ["sliding", "even"] {
        let calls = (0..200).map(async |n: u32| {
            let cost = 1 + n % MOST;
            let answer = check(&apis[n as usize % 2], policy, "k", cost).await;
            if answer["allowed"] == true { cost } else { 0 }
        });
        let spent: u32 = join_all(calls).await.into_iter().sum();
        // A refused caller requested more than was left.
        assert!(spent <= 150 && spent > 150 - MOST, "{policy}: {spent}");
        let mut left = 0;
        while check(&apis[0], policy, "k", 1).await["allowed"] == true {
            left += 1;
        }
        assert_eq!(spent + left, 150, "{policy}");
    }
}

#[actix_web::test]
async fn an_embedded_redis_that_syncs_always_loses_no_unit() {
    let folder = Folder::new();
    let flags = [
        folder.flag(),
        "--redis-append-fsync=always".to_owned(),
        LIMITS.to_owned(),
    ];
    let (service, begun) = (ServiceProcess::start(&flags).await, Instant::now());
    let books = storm(&[service.drivers()], 300, async || {
        for server in folder.processes() {
            kill(server, Signal::SIGKILL).unwrap();
        }
    })
    .await;
    // And the service itself, with the restarted server.
    service.kill().await;
    let again = ServiceProcess::start(&flags).await;
    balance(&again.drivers(), &books, begun).await;
}

/// Checks that Redis has counted what was answered to clients, and at most the unanswered calls in addition.
async fn balanced(api: &Api, policy: &str, key: &str, book: &Book, begun: Instant) {
    let mut seen = book.admitted.len();
    let mut left = 0;
    // To the end, so that the last unit is seen as well.
    loop {
        let answer = eventually(SOON, "Redis is back", async || {
            let answer = check(api, policy, key, 1).await;
            answer["degraded"].is_null().then_some(answer)
        })
        .await;
        if answer["allowed"] == false {
            break;
        }
        (seen, left) = (seen + 1, left + 1);
    }
    // An even rate gives one back in six minutes.
    assert!(begun.elapsed() < Duration::from_mins(3));
    assert!(seen <= 150, "{policy} {key}: {seen} admitted");
    assert!(
        seen + book.unknown >= 150,
        "{policy} {key}: {seen} + {} units are gone, {left} were left",
        book.unknown
    );
}

/// In no window were there surely more than the quota.
fn brief_is_kept(key: &str, admitted: &[Span]) {
    let (quota, window_ms) = BRIEF;
    for (from, _) in admitted {
        let within = |span: &&Span| span.0 >= *from && span.1 <= from + window_ms;
        let count = admitted.iter().filter(within).count();
        assert!(count <= quota, "{key}: {count} within {window_ms} ms");
    }
}
