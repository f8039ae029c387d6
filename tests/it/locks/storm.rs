//! Hundreds of clients over several instances, some of which disconnect without a release; an instance and a Redis are killed in the middle.
//! Afterwards the grants are checked: no two grants of a name overlapped, and fences grew in the order of the grants.

use super::{LockApi, SOON, embedded, name};
use crate::support::{
    AbandonedPost, DisconnectingClients, Folder, Redis, Scene, ServiceProcess, answered, eventually, now_us, try_send,
};
use actix_web::rt::task::JoinHandle;
use fleetpulse::locks::{LockError, Locks, Token, Wanted};
use fleetpulse::tracking::input::parse_rfc3339;
use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use rand::RngExt;
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 300;
const NAMES: usize = 6;
const TTL_MS: u64 = 500;
const WAIT_MS: u64 = 1_500;

/// A time in which a client held a lock, Unix microseconds.
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
    unavailable: Cell<usize>,
    killed: Cell<usize>,
    timed_out: Cell<usize>,
    dropped: Cell<usize>,
    over: Cell<bool>,
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

/// An interface of the locks: HTTP, or Rust.
#[derive(Clone)]
enum Way {
    Http(LockApi),
    Rust(Locks),
}

/// The outcome of an acquisition.
enum Asked {
    /// The token, the fence, and when it ends, Unix microseconds.
    Granted(String, u64, i64),
    TimedOut,
    Unavailable,
    /// Its instance was killed.
    Killed,
}

impl Way {
    async fn ask(&self, lock: &str) -> Asked {
        match self {
            Self::Http(api) => {
                let request = api.0.request(Method::POST, &format!("/v1/locks/{lock}"));
                let body = json!({"ttl_ms": TTL_MS, "wait_ms": WAIT_MS});
                let Ok(answer) = try_send(request.json(&body)).await else {
                    return Asked::Killed;
                };
                match answer.status {
                    201 => {
                        let ends_ms = parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
                        let token = answer.body["token"].as_str().unwrap().to_owned();
                        Asked::Granted(token, answer.body["fence"].as_u64().unwrap(), ends_ms * 1_000)
                    }
                    504 => Asked::TimedOut,
                    503 => Asked::Unavailable,
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
                    Err(LockError::TimedOut(_)) => Asked::TimedOut,
                    Err(LockError::Store(_)) => Asked::Unavailable,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }

    /// Returns whether it still held the lock; `None` if Redis was unavailable or the instance was killed.
    async fn release(&self, lock: &str, token: &str) -> Option<bool> {
        match self {
            Self::Http(api) => {
                let request = api.0.request(Method::DELETE, &format!("/v1/locks/{lock}"));
                let answer = try_send(request.json(&json!({ "token": token }))).await.ok()?;
                match answer.status {
                    204 => Some(true),
                    404 | 409 => Some(false),
                    503 => None,
                    status => panic!("{status}"),
                }
            }
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
            Asked::TimedOut => {
                count(&books.timed_out);
                continue;
            }
            Asked::Killed => {
                count(&books.killed);
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            Asked::Unavailable => {
                count(&books.unavailable);
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
        // Some crash instead.
        if rand::rng().random_bool(0.97) {
            way.release(&lock, &token).await;
        }
    }
}

/// The running clients.
struct Storm {
    books: Rc<Books>,
    clients: Vec<JoinHandle<()>>,
}

impl Storm {
    fn begin(clients: usize, ways: &[Way]) -> Self {
        let books = Rc::new(Books::default());
        let clients = (0..clients)
            .map(|_| actix_web::rt::spawn(client(ways.to_vec(), Rc::clone(&books))))
            .collect();
        Self { books, clients }
    }

    /// Continues until this many more are counted.
    async fn reaches(&self, what: &str, count: impl Fn(&Books) -> &Cell<usize>, more: usize) {
        let count = count(&self.books);
        let goal = count.get() + more;
        eventually(SOON, what, async || (count.get() >= goal).then_some(())).await;
    }

    /// Ends the test and checks the grants. Returns the number of grants, and of clients that disconnected.
    async fn end(self) -> (usize, usize) {
        self.books.over.set(true);
        for ended in join_all(self.clients).await {
            ended.expect("no client failed");
        }
        let mut fences = 0;
        for (lock, mut held) in self.books.held.take() {
            held.sort_by_key(|held| held.fence);
            for pair in held.windows(2) {
                assert!(pair[0].fence < pair[1].fence, "{lock}: {pair:?}");
                assert!(pair[0].until <= pair[1].from, "{lock}: {pair:?}");
            }
            fences += held.len();
        }
        (fences, self.books.dropped.get())
    }
}

#[actix_web::test]
async fn no_two_grants_overlap_and_fences_grow_under_crashes() {
    let mut scene = Scene::on(Redis::synced().await).with(&["--redis-timeout=500"]);
    let (one, other, doomed) = (scene.start().await, scene.start().await, scene.start_process().await);
    let ways = [
        Way::Http(LockApi::of(&one)),
        Way::Http(LockApi::of(&other)),
        Way::Http(LockApi::of_process(&doomed)),
        Way::Rust(embedded(&scene).await),
    ];
    let storm = Storm::begin(CLIENTS, &ways);
    storm.reaches("locks are granted", |books| &books.grants, 300).await;
    // With its locks and its waiting requests.
    doomed.kill().await;
    storm.reaches("some are cut off", |books| &books.killed, 50).await;
    storm.reaches("the others have locks", |books| &books.grants, 200).await;
    scene.redis.kill();
    storm
        .reaches(
            "some get the error that Redis is unavailable",
            |books| &books.unavailable,
            50,
        )
        .await;
    scene.redis.restart().await;
    storm
        .reaches("locks are granted again", |books| &books.grants, 400)
        .await;
    let (fences, dropped) = storm.end().await;
    assert!(fences > 500, "{fences}");
    assert!(dropped > 50, "{dropped}");
    // Nothing is left of the clients, except the queue entries of requests that waited in the killed instance.
    for number in 0..NAMES {
        let l = name(&format!("l{number}"));
        let Way::Rust(locks) = &ways[3] else { unreachable!() };
        eventually(SOON, "everything is free, and no request waits", async || {
            let mut queue = cmd("ZRANGE");
            let queue: Vec<String> = scene
                .redis
                .query(queue.arg(scene.keys().lock_queue(&l)).arg(0).arg(-1))
                .await;
            for attempt in queue {
                let channel = scene.keys().lock_wake(attempt.split('-').next().unwrap());
                let mut numsub = cmd("PUBSUB");
                let (_, listeners): (String, u64) = scene.redis.query(numsub.arg("NUMSUB").arg(channel)).await;
                if listeners > 0 {
                    return None;
                }
            }
            locks.inspect(&l).await.ok()?.0.is_none().then_some(())
        })
        .await;
        // These do not block other requests.
        let grant = locks.grant(&l, &Wanted::lasting(Duration::from_secs(1))).await.unwrap();
        locks.release(&l, &grant.token).await.unwrap();
    }
}

#[actix_web::test]
async fn a_killed_embedded_redis_loses_no_acknowledged_grant() {
    let folder = Folder::new();
    let args = [
        folder.flag(),
        "--redis-append-fsync=always".to_owned(),
        "--redis-timeout=500".to_owned(),
    ];
    let service = ServiceProcess::start(&args).await;
    let locks = LockApi::of_process(&service);
    // This lock is held all the time.
    let (token, fence) = locks.grant("kept", 3_600_000).await;
    let storm = Storm::begin(CLIENTS, &[Way::Http(locks.clone())]);
    for _ in 0..3 {
        storm.reaches("locks are granted", |books| &books.grants, 100).await;
        kill(folder.processes()[0], Signal::SIGKILL).unwrap();
        storm
            .reaches(
                "some get the error that Redis is unavailable",
                |books| &books.unavailable,
                10,
            )
            .await;
    }
    storm
        .reaches("locks are granted again", |books| &books.grants, 200)
        .await;
    let (fences, dropped) = storm.end().await;
    assert!(fences > 300, "{fences}");
    assert!(dropped > 20, "{dropped}");
    let kept = answered(async || locks.look("kept").await).await;
    assert_eq!(kept.body["fence"], fence);
    for number in 0..NAMES {
        let l = format!("l{number}");
        eventually(SOON, "everything is free", async || {
            let answer = locks.acquire(&l, json!({"ttl_ms": 100})).await;
            (answer.status == 201).then_some(())
        })
        .await;
    }
    service.kill().await;

    // The same if the service is killed with it.
    let again = ServiceProcess::start(&args).await;
    let locks = LockApi::of_process(&again);
    assert_eq!(locks.look("kept").await.body["fence"], fence);
    assert_eq!(locks.release("kept", &token).await.status, 204);
    let (_, next) = locks.grant("kept", 1_000).await;
    assert!(next > fence);
    assert!(again.terminate().await.success());
}

#[actix_web::test]
async fn disconnecting_clients_on_slow_connections_block_no_other() {
    let scene = Scene::new().await;
    let (one, disconnecting) = (scene.start().await, DisconnectingClients::beside(&scene).await);
    let ways = [
        Way::Http(LockApi::of(&one)),
        Way::Http(LockApi::of(disconnecting.service())),
        Way::Rust(embedded(&scene).await),
    ];
    let storm = Storm::begin(60, &ways);
    // Long enough that a single undelivered grant would block the others.
    let leaving = |_round| {
        let at_once = json!({"ttl_ms": 600_000});
        let waiting = json!({"ttl_ms": 600_000, "wait_ms": 30_000});
        let names = (0..NAMES).map(|number| format!("/v1/locks/l{number}"));
        names
            .flat_map(|path| [&at_once, &waiting].map(|body| AbandonedPost::new(&*path, body.clone())))
            .collect()
    };
    let left = disconnecting.storm(Duration::from_secs(5), leaving).await;
    assert!(left > 50, "{left}");
    storm
        .reaches("locks are granted", |books| &books.grants, 20 * NAMES)
        .await;
    let (fences, _) = storm.end().await;
    assert!(fences > 300, "{fences}");
    let Way::Rust(locks) = &ways[2] else { unreachable!() };
    for number in 0..NAMES {
        eventually(SOON, "everything is free, and no request waits", async || {
            let (held, waiting) = locks.inspect(&name(&format!("l{number}"))).await.ok()?;
            (held.is_none() && waiting == 0).then_some(())
        })
        .await;
    }
}
