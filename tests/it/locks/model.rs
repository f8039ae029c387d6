//! Random sequences of calls, compared with a model in memory: the holder of the lock, its end, and the waiting requests.
//!
//! If a lease ends during a call either answer is correct, and the model continues from the actual one.

use super::{SOON, embedded, name};
use crate::support::{Scene, eventually};
use fleetpulse::ids::Id;
use fleetpulse::locks::{Grant, LockError, Locks, Token, Wanted};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_mins(10);
const TOKENS: usize = 4;

/// The action of one of several clients, each with its own token, on one of two instances.
#[derive(Debug, Clone, Copy)]
enum Call {
    Acquire {
        who: usize,
        short: bool,
    },
    Renew {
        who: usize,
    },
    Release {
        who: usize,
    },
    Look,
    /// Another request begins to wait.
    Wait,
    /// The request that waits at this place disconnects.
    Go {
        place: usize,
    },
    /// Longer than a short lease.
    Pause,
}

fn calls() -> impl Strategy<Value = Vec<(Call, usize)>> {
    let call = prop_oneof![
        6 => (0..TOKENS, any::<bool>()).prop_map(|(who, short)| Call::Acquire { who, short }),
        3 => (0..TOKENS).prop_map(|who| Call::Renew { who }),
        5 => (0..TOKENS).prop_map(|who| Call::Release { who }),
        2 => Just(Call::Look),
        4 => Just(Call::Wait),
        1 => (0..4_usize).prop_map(|place| Call::Go { place }),
        1 => Just(Call::Pause),
    ];
    prop::collection::vec((call, 0..2_usize), 1..40)
}

/// The holder of the lock. Its expiry is between the two times.
#[derive(Debug, Clone)]
struct Lease {
    token: Token,
    fence: u64,
    ttl: Duration,
    ends: (Instant, Instant),
}

/// Returns whether a lease was valid during a call: `None` if it expired during the call.
fn held_during(lease: Option<&Lease>, from: Instant, until: Instant) -> Option<bool> {
    match lease {
        None => Some(false),
        Some(lease) if until < lease.ends.0 => Some(true),
        // A millisecond for the rounding of Redis.
        Some(lease) if from > lease.ends.1 + Duration::from_millis(2) => Some(false),
        Some(_) => None,
    }
}

struct Model {
    l: Id,
    instances: [Locks; 2],
    tokens: Vec<Token>,
    lease: Option<Lease>,
    /// The client that released it last.
    last: Option<Token>,
    fence: u64,
    waiting: VecDeque<(Token, JoinHandle<Result<Grant, LockError>>)>,
}

impl Model {
    /// The longest waiting request gets the lock, and its client is the holder.
    async fn hand_over(&mut self) {
        let Some((token, waiter)) = self.waiting.pop_front() else {
            return;
        };
        let from = Instant::now();
        let grant = timeout(SOON, waiter).await.expect("it is its turn").unwrap().unwrap();
        assert_eq!(grant.token, token);
        self.holds(token, &grant, LONG, from);
    }

    fn holds(&mut self, token: Token, grant: &Grant, ttl: Duration, from: Instant) {
        assert!(grant.fence > self.fence, "fences grow");
        self.fence = grant.fence;
        self.lease = Some(Lease {
            token,
            fence: grant.fence,
            ttl,
            ends: (from + ttl, Instant::now() + ttl),
        });
    }

    async fn ended(&mut self) {
        self.lease = None;
        self.hand_over().await;
    }

    async fn step(&mut self, call: Call, instance: usize) {
        // While a lease may be about to expire, only the next holder is certain.
        if self.lease.as_ref().is_some_and(|lease| lease.ttl == SHORT) && !self.waiting.is_empty() {
            self.ended().await;
        }
        let locks = self.instances[instance].clone();
        match call {
            Call::Acquire { who, short } => self.acquire(&locks, who, if short { SHORT } else { LONG }).await,
            Call::Renew { who } => self.renew(&locks, who).await,
            Call::Release { who } => self.release(&locks, who).await,
            Call::Look => self.look(&locks).await,
            Call::Wait => self.wait(locks).await,
            Call::Go { place } => self.go(&locks, place).await,
            Call::Pause => sleep(SHORT).await,
        }
    }

    /// Returns whether the lease was valid during a call that was made at `from` and is answered now.
    fn held_since(&self, from: Instant) -> Option<bool> {
        held_during(self.lease.as_ref(), from, Instant::now())
    }

    fn is_holder(&self, token: &Token) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.token == *token)
    }

    async fn acquire(&mut self, locks: &Locks, who: usize, ttl: Duration) {
        let token = self.tokens[who].clone();
        let wanted = Wanted::lasting(ttl).under(token.clone());
        let from = Instant::now();
        let answer = locks.grant(&self.l, &wanted).await;
        let held = self.held_since(from);
        let same_ttl = self.lease.as_ref().is_some_and(|lease| lease.ttl == ttl);
        match answer {
            Ok(grant) if grant.fence == self.fence => {
                assert!(self.is_holder(&token) && same_ttl && held != Some(false));
            }
            Ok(grant) => {
                assert_ne!(held, Some(true));
                assert!(self.waiting.is_empty(), "no request overtakes waiting ones");
                assert_ne!(self.last.as_ref(), Some(&token), "what was released stays released");
                self.holds(token, &grant, ttl, from);
            }
            Err(LockError::Taken(_)) => assert!(!self.is_holder(&token) && held != Some(false)),
            Err(LockError::TokenReused) => {
                let other_time = self.is_holder(&token) && !same_ttl && held != Some(false);
                assert!(other_time || self.last.as_ref() == Some(&token));
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn renew(&mut self, locks: &Locks, who: usize) {
        let from = Instant::now();
        let answer = locks.renew(&self.l, &self.tokens[who], None).await;
        let held = self.held_since(from);
        let own = self.is_holder(&self.tokens[who]);
        match (answer, &mut self.lease) {
            (Ok(grant), Some(lease)) => {
                assert!(own && held != Some(false));
                assert_eq!(grant.fence, lease.fence);
                lease.ends = (from + lease.ttl, Instant::now() + lease.ttl);
            }
            (Err(LockError::HeldByOther(_)), _) => assert!(!own && held != Some(false)),
            (Err(LockError::NotHeld), _) => assert_ne!(held, Some(true)),
            (answer, _) => panic!("{answer:?}"),
        }
    }

    async fn release(&mut self, locks: &Locks, who: usize) {
        let token = self.tokens[who].clone();
        let from = Instant::now();
        let answer = locks.release(&self.l, &token).await;
        let held = self.held_since(from);
        let own = self.is_holder(&token);
        let repeated = self.last.as_ref() == Some(&token);
        match answer {
            Ok(()) if own && held != Some(false) => {
                self.last = Some(token);
                self.ended().await;
            }
            Ok(()) => assert!(repeated),
            Err(LockError::HeldByOther(_)) => assert!(!own && !repeated && held != Some(false)),
            Err(LockError::NotHeld) => assert!(!repeated && held != Some(true)),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn look(&self, locks: &Locks) {
        let from = Instant::now();
        let (holder, waiting) = locks.inspect(&self.l).await.unwrap();
        let held = self.held_since(from);
        assert_eq!(waiting, self.waiting.len() as u64);
        if let Some(holder) = holder {
            assert_ne!(held, Some(false));
            assert_eq!(Some(holder.fence), self.lease.as_ref().map(|lease| lease.fence));
        } else {
            assert_ne!(held, Some(true));
        }
    }

    async fn go(&mut self, locks: &Locks, place: usize) {
        if let Some((_, waiter)) = self.waiting.remove(place) {
            waiter.abort();
            self.waiters_are_known(locks).await;
        }
    }

    async fn waiters_are_known(&self, locks: &Locks) {
        let count = self.waiting.len() as u64;
        eventually(SOON, "as many wait", async || {
            (locks.inspect(&self.l).await.unwrap().1 == count).then_some(())
        })
        .await;
    }

    /// A client waits for a lease that does not expire soon, or gets the lock if it is free.
    async fn wait(&mut self, locks: Locks) {
        let wanted = Wanted::lasting(LONG).waiting(Duration::from_mins(1));
        let (token, l) = (wanted.token().clone(), self.l.clone());
        let known = self.instances[0].clone();
        let waiter = tokio::spawn(async move { locks.grant(&l, &wanted).await });
        self.waiting.push_back((token, waiter));
        if self.lease.as_ref().is_none_or(|lease| lease.ttl == SHORT) {
            self.ended().await;
            return;
        }
        self.waiters_are_known(&known).await;
    }
}

#[test]
fn random_calls_match_the_model() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (scene, instances) = runtime.block_on(async {
        let scene = Scene::new().await;
        let instances = [embedded(&scene).await, embedded(&scene).await];
        (scene, instances)
    });
    let number = Cell::new(0);
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&calls(), |calls| {
            number.set(number.get() + 1);
            runtime.block_on(async {
                let mut model = Model {
                    l: name(&format!("l{}", number.get())),
                    instances: instances.clone(),
                    tokens: (0..TOKENS).map(|_| Token::random()).collect(),
                    lease: None,
                    last: None,
                    fence: 0,
                    waiting: VecDeque::new(),
                };
                for (call, instance) in calls {
                    model.step(call, instance).await;
                }
                for (_, waiter) in &model.waiting {
                    waiter.abort();
                }
            });
            Ok(())
        })
        .unwrap();
    drop(scene);
}
