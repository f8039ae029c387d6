//! Hundreds of clients over several instances, some of whom go without a word, and a Redis that is killed in the middle.
//! Afterwards the books are balanced: no two grants of a name overlapped, and fences grew in the order of the grants.

use super::{LockApi, SOON, embedded, name};
use crate::support::{Redis, Scene, eventually};
use fleetpulse::locks::{LockError, Locks, Token, Wanted};
use fleetpulse::tracking::input::parse_rfc3339;
use futures_util::future::join_all;
use rand::RngExt;
use redis::cmd;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 300;
const NAMES: usize = 6;
const TTL_MS: u64 = 500;
const WAIT_MS: u64 = 1_500;

/// A time in which somebody could rely on a lock, Unix microseconds.
#[derive(Debug, Clone, Copy)]
struct Held {
    fence: u64,
    from: i64,
    until: i64,
}

#[derive(Default)]
struct Books {
    held: RefCell<HashMap<String, Vec<Held>>>,
    grants: Cell<usize>,
    away: Cell<usize>,
    in_vain: Cell<usize>,
    dropped: Cell<usize>,
    over: Cell<bool>,
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

/// One way to the locks: an instance by HTTP, or the Rust interface.
#[derive(Clone)]
enum Way {
    Http(LockApi),
    Rust(Locks),
}

/// What came of asking.
enum Asked {
    /// The token, the fence, and when it ends, Unix microseconds.
    Granted(String, u64, i64),
    InVain,
    Away,
}

impl Way {
    async fn ask(&self, lock: &str) -> Asked {
        match self {
            Self::Http(api) => {
                let answer = api.acquire(lock, json!({"ttl_ms": TTL_MS, "wait_ms": WAIT_MS})).await;
                match answer.status {
                    201 => {
                        let ends_ms = parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
                        let token = answer.body["token"].as_str().unwrap().to_owned();
                        Asked::Granted(token, answer.body["fence"].as_u64().unwrap(), ends_ms * 1_000)
                    }
                    504 => Asked::InVain,
                    503 => Asked::Away,
                    _ => panic!("{answer:?}"),
                }
            }
            Self::Rust(locks) => {
                let wanted = Wanted::lasting(Duration::from_millis(TTL_MS)).waiting(Duration::from_millis(WAIT_MS));
                match locks.grant(&name(lock), &wanted).await {
                    Ok(grant) => Asked::Granted(
                        grant.token.as_str().to_owned(),
                        grant.fence,
                        grant.expires_at_ms * 1_000,
                    ),
                    Err(LockError::TimedOut(_)) => Asked::InVain,
                    Err(LockError::Store(_)) => Asked::Away,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }

    /// Whether it still had the lock; nothing is known where Redis is away.
    async fn release(&self, lock: &str, token: &str) -> Option<bool> {
        match self {
            Self::Http(api) => match api.release(lock, token).await.status {
                204 => Some(true),
                404 | 409 => Some(false),
                503 => None,
                status => panic!("{status}"),
            },
            Self::Rust(locks) => match locks.release(&name(lock), &Token::parse(token).unwrap()).await {
                Ok(()) => Some(true),
                Err(LockError::NotHeld | LockError::HeldByOther(_)) => Some(false),
                Err(LockError::Store(_)) => None,
                Err(error) => panic!("{error:?}"),
            },
        }
    }
}

async fn client(ways: Vec<Way>, books: Rc<Books>) {
    while !books.over.get() {
        let way = &ways[rand::rng().random_range(0..ways.len())];
        let lock = format!("l{}", rand::rng().random_range(0..NAMES));
        let patience = if rand::rng().random_bool(0.25) {
            Duration::from_millis(rand::rng().random_range(0..300))
        } else {
            SOON
        };
        let Ok(asked) = timeout(patience, way.ask(&lock)).await else {
            count(&books.dropped);
            continue;
        };
        let (token, fence, ends) = match asked {
            Asked::Granted(token, fence, ends) => (token, fence, ends),
            Asked::InVain => {
                count(&books.in_vain);
                continue;
            }
            Asked::Away => {
                count(&books.away);
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let from = now_us();
        sleep(Duration::from_micros(rand::rng().random_range(0..3_000))).await;
        let until = now_us().min(ends);
        if from < until {
            let held = Held { fence, from, until };
            books.held.borrow_mut().entry(lock.clone()).or_default().push(held);
        }
        count(&books.grants);
        // Some die instead.
        if rand::rng().random_bool(0.97) {
            way.release(&lock, &token).await;
        }
    }
}

/// What Redis acknowledges is on the disk.
async fn sync_always(redis: &Redis) {
    let mut set = cmd("CONFIG");
    redis.query::<()>(set.arg("SET").arg("appendfsync").arg("always")).await;
}

#[actix_web::test]
async fn no_two_grants_overlap_and_fences_grow_whoever_dies() {
    let mut scene = Scene::on(Redis::durable().await).with(&["--redis-timeout=500"]);
    sync_always(&scene.redis).await;
    let (one, other) = (scene.start().await, scene.start().await);
    let ways = vec![
        Way::Http(LockApi::of(&one)),
        Way::Http(LockApi::of(&other)),
        Way::Rust(embedded(&scene).await),
    ];
    let books = Rc::new(Books::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| actix_web::rt::spawn(client(ways.clone(), Rc::clone(&books))))
        .collect();
    let reaches = async |what: &str, count: &Cell<usize>, more: usize| {
        let goal = count.get() + more;
        eventually(SOON, what, async || (count.get() >= goal).then_some(())).await;
    };
    reaches("locks are granted", &books.grants, 300).await;
    scene.redis.kill();
    reaches("some are told that Redis is away", &books.away, 50).await;
    scene.redis.restart().await;
    sync_always(&scene.redis).await;
    reaches("locks are granted again", &books.grants, 400).await;
    books.over.set(true);
    for ended in join_all(clients).await {
        ended.expect("no client failed");
    }

    let mut fences = 0;
    for (lock, mut held) in books.held.take() {
        held.sort_by_key(|held| held.fence);
        for pair in held.windows(2) {
            assert!(pair[0].fence < pair[1].fence, "{lock}: {pair:?}");
            assert!(pair[0].until <= pair[1].from, "{lock}: {pair:?}");
        }
        fences += held.len();
    }
    assert!(fences > 500, "{fences}");
    assert!(books.dropped.get() > 50, "{}", books.dropped.get());
    // Nothing is left of those who went.
    for number in 0..NAMES {
        let l = name(&format!("l{number}"));
        eventually(SOON, "everything is free, and nobody waits", async || {
            let queue: u64 = scene.redis.query(cmd("ZCARD").arg(scene.keys().lock_queue(&l))).await;
            let Way::Rust(locks) = &ways[2] else { return None };
            (queue == 0 && locks.inspect(&l).await.ok()?.0.is_none()).then_some(())
        })
        .await;
    }
}
