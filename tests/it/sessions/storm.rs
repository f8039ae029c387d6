//! Hundreds of clients over two instances, some of which disconnect in the middle, and a Redis that is killed and restarted. Afterwards the
//! state is compared with what was acknowledged.

use super::{Calls, keys, listed, session_keys};
use crate::support::{Answer, Folder, Redis, Scene, ServiceProcess, answered};
use futures_util::future::{join, join_all};
use nix::sys::signal::{Signal, kill};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::cmd;
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const CLIENTS: u64 = 300;
/// Few, so that clients of the same subject meet.
const SUBJECTS: u64 = 40;
const PER_SUBJECT: usize = 6;
/// Clients with a subject of their own that end no session: their sessions must exist at the end.
const QUIET: u64 = 30;
const LASTS: Duration = Duration::from_secs(4);
/// How much longer the clients continue if the machine is too busy for enough calls in that time.
const LASTS_AT_MOST: Duration = Duration::from_mins(1);
const SETTINGS: [&str; 3] = [
    "--redis-timeout=500",
    "--sessions-per-subject=6",
    // Longer than an abandoned call may be in progress, and much shorter than the test.
    "--session-rotation-grace=1500",
];

/// A session that a client holds.
struct Held {
    subject: String,
    id: String,
    token: String,
    /// Changes of its data that were acknowledged, and those whose answer was lost.
    acknowledged: u64,
    unheard: u64,
}

impl Held {
    /// Whether a session's data are at a version that its acknowledged changes allow.
    fn assert_version(&self, version: u64) {
        let least = 1 + self.acknowledged;
        assert!(
            (least..=least + self.unheard).contains(&version),
            "{version}, {least} and {}",
            self.unheard
        );
    }
}

/// The acknowledged state of all clients together.
#[derive(Default)]
struct Books {
    /// Counts creations and sign-outs, so that "before" has a meaning.
    now: u64,
    /// Acknowledged sessions that no client has ended, as far as is known: token and time, by subject and id.
    open: HashMap<String, HashMap<String, (String, u64)>>,
    /// Tokens of those whose end was acknowledged.
    over: Vec<String>,
    calls: u64,
    hung_up: u64,
}

impl Books {
    /// Returns whether there were enough calls of every kind.
    fn are_enough(&self) -> bool {
        self.calls > 2_000 && self.hung_up > 50 && self.over.len() > 100
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn opened(&mut self, held: &Held) {
        let now = self.tick();
        let subject = self.open.entry(held.subject.clone()).or_default();
        subject.insert(held.id.clone(), (held.token.clone(), now));
    }

    fn rotated(&mut self, held: &Held) {
        let open = self
            .open
            .get_mut(&held.subject)
            .and_then(|subject| subject.get_mut(&held.id));
        if let Some((token, _)) = open {
            token.clone_from(&held.token);
        }
    }

    /// The end of a session was requested, and possibly acknowledged.
    fn ended(&mut self, held: &Held, acknowledged: bool) {
        self.open.get_mut(&held.subject).unwrap().remove(&held.id);
        if acknowledged {
            self.over.push(held.token.clone());
        }
    }

    /// The end of all sessions of a subject was requested at a time, and possibly acknowledged. Later sessions may have ended as well.
    fn all_ended(&mut self, subject: &str, asked: u64, acknowledged: bool) {
        for (_, (token, since)) in self.open.get_mut(subject).unwrap().drain() {
            if acknowledged && since < asked {
                self.over.push(token);
            }
        }
    }
}

struct Storm {
    instances: [Calls; 2],
    books: RefCell<Books>,
    until: Instant,
}

impl Storm {
    /// Runs the clients while `killing` runs. Returns the sessions of the quiet ones at the end.
    async fn rage(instances: [Calls; 2], killing: impl Future<Output = ()>) -> (Books, Vec<Held>) {
        let storm = Self {
            instances,
            books: RefCell::default(),
            until: Instant::now() + LASTS,
        };
        let clients = (0..CLIENTS).map(|n| {
            let quiet = n < QUIET;
            let subject = if quiet {
                format!("quiet-{n}")
            } else {
                format!("user-{}", n % SUBJECTS)
            };
            let client = Client {
                storm: &storm,
                rng: StdRng::seed_from_u64(n),
                quiet,
            };
            client.run(subject)
        });
        let (held, ()) = join(join_all(clients), killing).await;
        let quiet = held.into_iter().take(usize::try_from(QUIET).unwrap());
        let quiet = quiet.map(|held| held.expect("a session was created in all that time"));
        let quiet = quiet.collect();
        let books = storm.books.take();
        let (calls, hung_up, over) = (books.calls, books.hung_up, books.over.len());
        assert!(books.are_enough(), "too few calls: {calls}, {hung_up}, {over}");
        (books, quiet)
    }
}

/// A client, with its own random numbers.
struct Client<'a> {
    storm: &'a Storm,
    rng: StdRng,
    quiet: bool,
}

impl Client<'_> {
    fn instance(&mut self) -> Calls {
        self.storm.instances[self.rng.random_range(0..2)].clone()
    }

    fn continues(&self) -> bool {
        let now = Instant::now();
        now < self.storm.until || !self.storm.books.borrow().are_enough() && now < self.storm.until + LASTS_AT_MOST
    }

    /// A call for whose answer the client may not wait. `None`: it disconnected, or Redis was unavailable.
    async fn call(&mut self, call: impl Future<Output = Answer>) -> Option<Answer> {
        self.storm.books.borrow_mut().calls += 1;
        let answer = if self.rng.random_bool(0.1) {
            let patience = Duration::from_micros(self.rng.random_range(0..20_000));
            let Ok(answer) = timeout(patience, call).await else {
                self.storm.books.borrow_mut().hung_up += 1;
                return None;
            };
            answer
        } else {
            call.await
        };
        if answer.status == 503 {
            assert!(answer.retry_after.is_some());
            sleep(Duration::from_millis(20)).await;
            return None;
        }
        assert!(
            [200, 201, 204, 401, 404, 409, 429].contains(&answer.status),
            "{answer:?}"
        );
        Some(answer)
    }

    /// Uses one session after another, each until it or the test ends. Returns the last.
    async fn run(mut self, subject: String) -> Option<Held> {
        let mut last = None;
        while self.continues() {
            let calls = self.instance();
            let Some(created) = self.call(calls.create(json!({ "subject": subject }))).await else {
                continue;
            };
            let text = |name: &str| created.body[name].as_str().unwrap().to_owned();
            let mut held = Held {
                subject: subject.clone(),
                id: text("id"),
                token: text("token"),
                acknowledged: 0,
                unheard: 0,
            };
            self.storm.books.borrow_mut().opened(&held);
            while self.continues() && self.step(&mut held).await {}
            last = Some(held);
        }
        last
    }

    /// Makes one call; returns false if the session has ended.
    async fn step(&mut self, held: &mut Held) -> bool {
        let most = if self.quiet { 80 } else { 100 };
        match self.rng.random_range(0..most) {
            0..50 => self.validate(held).await,
            50..70 => self.change(held).await,
            70..80 => self.rotate(held).await,
            80..95 => self.end(held).await,
            _ => self.end_all(held).await,
        }
    }

    async fn validate(&mut self, held: &Held) -> bool {
        let calls = self.instance();
        let over_before = self.storm.books.borrow().over.len();
        let Some(answer) = self.call(calls.get(&held.token)).await else {
            return true;
        };
        if answer.status == 200 {
            // It is valid, so no end of it can have been acknowledged before the call.
            assert!(
                !self.storm.books.borrow().over[..over_before].contains(&held.token),
                "{answer:?}"
            );
            held.assert_version(answer.body["version"].as_u64().unwrap());
        }
        self.still_there(&answer)
    }

    async fn change(&mut self, held: &mut Held) -> bool {
        let calls = self.instance();
        let Some(read) = self.call(calls.get(&held.token)).await else {
            return true;
        };
        if !self.still_there(&read) {
            return false;
        }
        let version = read.body["version"].as_u64().unwrap();
        let patch = json!({ "n": version });
        let Some(written) = self.call(calls.patch(&held.token, version, patch)).await else {
            held.unheard += 1;
            return true;
        };
        match written.status {
            200 => held.acknowledged += 1,
            // An earlier call whose answer was lost was executed in between.
            409 => assert!(held.unheard > 0, "{written:?}"),
            _ => return self.still_there(&written),
        }
        true
    }

    async fn rotate(&mut self, held: &mut Held) -> bool {
        let calls = self.instance();
        // If the answer is lost, the client continues with the old token, which is accepted as long as no later one is used.
        let Some(answer) = self.call(calls.rotate(&held.token)).await else {
            return true;
        };
        if answer.status == 200 {
            answer.body["token"].as_str().unwrap().clone_into(&mut held.token);
            self.storm.books.borrow_mut().rotated(held);
        }
        // Too many replaced tokens are still accepted: nothing has changed.
        answer.status == 429 || self.still_there(&answer)
    }

    async fn end(&mut self, held: &Held) -> bool {
        let calls = self.instance();
        let ended = if self.rng.random_bool(0.5) {
            self.call(calls.sign_out(&held.token)).await
        } else {
            self.call(calls.end(&held.subject, &format!("/{}", held.id))).await
        };
        let acknowledged = ended.is_some_and(|answer| answer.status == 204);
        self.storm.books.borrow_mut().ended(held, acknowledged);
        if acknowledged {
            self.assert_ended(&held.token).await;
        }
        false
    }

    async fn end_all(&mut self, held: &Held) -> bool {
        let calls = self.instance();
        let asked = self.storm.books.borrow_mut().tick();
        let answer = self.call(calls.end(&held.subject, "")).await;
        self.storm
            .books
            .borrow_mut()
            .all_ended(&held.subject, asked, answer.is_some());
        if answer.is_some() {
            self.assert_ended(&held.token).await;
        }
        false
    }

    /// Once the end of a session is acknowledged, it has ended on both instances.
    async fn assert_ended(&mut self, token: &str) {
        let calls = self.instance();
        if let Some(answer) = self.call(calls.get(token)).await {
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }

    /// No client ends the session of a quiet client.
    fn still_there(&self, answer: &Answer) -> bool {
        assert!(answer.status == 200 || !self.quiet, "{answer:?}");
        answer.status == 200
    }
}

#[actix_web::test]
async fn under_faults_ended_sessions_stay_ended_and_others_stay_valid() {
    let mut scene = Scene::on(Redis::synced().await).with(&SETTINGS);
    let (one, other) = (scene.start().await, scene.start().await);
    let instances = [Calls::of(&one), Calls::of(&other)];
    let killing = async {
        for _ in 0..2 {
            sleep(LASTS / 4).await;
            scene.redis.kill();
            sleep(Duration::from_millis(200)).await;
            scene.redis.restart().await;
        }
    };
    let (books, quiet) = Storm::rage(instances.clone(), killing).await;
    let count = balance(&instances, &books, &quiet).await;
    nothing_was_stolen(&instances).await;
    // Every session is in the index of its subject, and every key has a TTL.
    assert_eq!(session_keys(&scene).await.len(), count);
    for key in keys(&scene).await {
        let left_ms: i64 = scene.redis.query(cmd("PTTL").arg(&key)).await;
        assert!(left_ms > 0, "{key}");
    }
}

#[actix_web::test]
async fn a_killed_embedded_redis_loses_no_acknowledged_change() {
    let folder = Folder::new();
    let mut flags = vec![folder.flag(), "--redis-append-fsync=always".to_owned()];
    flags.extend(SETTINGS.map(str::to_owned));
    let service = ServiceProcess::start(&flags).await;
    let calls = Calls(service.drivers());
    let killing = async {
        for _ in 0..2 {
            sleep(LASTS / 4).await;
            for server in folder.processes() {
                kill(server, Signal::SIGKILL).unwrap();
            }
        }
    };
    let instances = [calls.clone(), calls];
    let (books, quiet) = Storm::rage(instances.clone(), killing).await;
    nothing_was_stolen(&instances).await;
    // And the service itself, with the restarted server.
    service.kill().await;
    let again = ServiceProcess::start(&flags).await;
    let calls = Calls(again.drivers());
    balance(&[calls.clone(), calls], &books, &quiet).await;
}

/// Each token had one holder, also when answers were lost.
async fn nothing_was_stolen(instances: &[Calls]) {
    for calls in instances {
        let stats = answered(async || calls.0.get("/v1/sessions/stats").await).await;
        assert_eq!(stats.body["stolen_total"], 0, "{stats:?}");
    }
}

/// Compares the existing sessions with the acknowledged ones; returns how many sessions there are.
async fn balance(instances: &[Calls; 2], books: &Books, quiet: &[Held]) -> usize {
    let [one, other] = instances;
    for (n, token) in books.over.iter().enumerate() {
        let answer = answered(async || instances[n % 2].get(token).await).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for held in quiet {
        let answer = answered(async || one.get(&held.token).await).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        held.assert_version(answer.body["version"].as_u64().unwrap());
    }
    let mut count = 0;
    for (subject, open) in &books.open {
        let ids = listed(&answered(async || one.list(subject).await).await);
        assert!(ids.len() <= PER_SUBJECT, "{ids:?}");
        count += ids.len();
        for (id, (token, _)) in open {
            let status = answered(async || other.get(token).await).await.status;
            assert_eq!(status == 200, ids.contains(id), "{id} of {subject}: {status}");
        }
    }
    count
}
