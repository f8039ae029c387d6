//! Hundreds of callers at once over several instances, with clients that hang up and a Redis that is killed in the middle.
//! Afterwards the books are balanced: no more was admitted than the policy allows, and nothing was counted that nobody asked
//! for.

use super::check;
use crate::support::{Api, Redis, Scene, now_ms};
use futures_util::future::join_all;
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const TASKS: usize = 300;
const CALLS: usize = 10;
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// All fail closed: what fails open is not bounded while Redis is away, and says so.
const LIMITS: &str = "--limits=sliding=window:150/1h; even=gcra:10/1h,burst=150; brief=window:20/300ms";
const POLICIES: [&str; 3] = ["sliding", "even", "brief"];
const BRIEF: (usize, i64) = (20, 300);

/// One admitted unit: between which moments, Unix ms.
type Span = (i64, i64);

/// What the clients know of one key under one policy.
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

#[actix_web::test]
async fn no_more_is_admitted_than_the_policy_allows_whatever_happens() {
    let scene = Scene::on(Redis::durable().await).with(&[LIMITS, "--redis-timeout=300"]);
    let (one, other) = (scene.start().await, scene.start().await);
    let apis = [one.drivers(), other.drivers()];
    let books = Arc::new(Mutex::new(Books::new()));
    let done = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();

    let callers = (0..TASKS).map(|n| {
        let (api, books, done) = (apis[n % 2].clone(), Arc::clone(&books), Arc::clone(&done));
        async move {
            for _ in 0..CALLS {
                let policy = POLICIES[rand::rng().random_range(0..POLICIES.len())];
                let key = KEYS[rand::rng().random_range(0..KEYS.len())];
                one_call(&api, policy, key, &books).await;
                done.fetch_add(1, Ordering::Relaxed);
                // A client has other things to do as well; with this the calls outlast Redis's death.
                sleep(Duration::from_millis(rand::random_range(0..150))).await;
            }
        }
    });
    let mut redis = scene.redis;
    let killer = async {
        for quarter in 1..=2 {
            while done.load(Ordering::Relaxed) < quarter * TASKS * CALLS / 4 {
                sleep(Duration::from_millis(5)).await;
            }
            redis.kill();
            sleep(Duration::from_millis(100)).await;
            redis.restart().await;
        }
    };
    futures_util::future::join(join_all(callers), killer).await;

    let books = books.lock().await;
    let admitted: usize = books.values().map(|book| book.admitted.len()).sum();
    assert!(admitted > 0);
    for ((policy, key), book) in &*books {
        match *policy {
            "brief" => brief_is_kept(key, &book.admitted),
            _ => balanced(&apis[0], policy, key, book, begun).await,
        }
    }
}

/// What Redis has counted is what the clients were told, and at most what they could not be told besides.
async fn balanced(api: &Api, policy: &str, key: &str, book: &Book, begun: Instant) {
    let mut seen = book.admitted.len();
    let mut left = 0;
    // To the end, so that the last unit is seen as well.
    loop {
        let answer = check(api, policy, key, 1).await;
        assert_eq!(answer["degraded"], Value::Null, "Redis is back");
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
