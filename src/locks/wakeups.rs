//! Requests of this process that wait for locks, and the subscription that wakes them.
//!
//! A request registers before it asks for the lock, so that no message comes before it listens. Of the requests that wait for the same
//! lock the first keeps watch: it asks when the lease in its way must have ended. So a lock whose holder died is found by one call
//! of each instance, however many requests wait. After an interruption of the subscription every request asks once, because a
//! message may have been missed.

use super::commands::CLAIM;
use crate::store::{Listener, Store, Waiter, Waiting};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Wakes the requests that wait in this process; clones are handles to the same. One for a process.
#[derive(Debug, Clone)]
pub struct Wakeups(Arc<Registry>);

#[derive(Debug)]
struct Registry {
    /// 16 hexadecimal digits; names the channel, and begins the name of every attempt.
    instance: String,
    attempts: AtomicU64,
    /// By the lock's key. Never held across an await.
    lines: Mutex<HashMap<String, Line>>,
    waiting: Waiting,
    /// Whether the subscription is interrupted, because Redis is unavailable.
    is_interrupted: AtomicBool,
}

/// The requests that wait for one lock, in the order in which they came.
#[derive(Debug)]
struct Line {
    members: VecDeque<Member>,
    /// When the lease in their way ends, as far as this process has heard.
    until: Instant,
    /// Messages about the lock. Messages and answers of Redis come by different connections, so an answer may be older than a
    /// message that came before it.
    heard: u64,
}

#[derive(Debug)]
struct Member {
    attempt: String,
    waiter: Arc<Waiter>,
}

impl Wakeups {
    /// Subscribes in the background of the current runtime, from the first request that waits until the last handle is dropped.
    #[must_use]
    pub fn listen(store: &Store) -> Self {
        let registry = Arc::new(Registry::new());
        let channel = store.keys().lock_wake(&registry.instance);
        registry.waiting.listen(store, "locks.wakeups", channel, &registry);
        Self(registry)
    }

    /// Returns whether the subscription is interrupted, because Redis is unavailable.
    pub(super) fn is_interrupted(&self) -> bool {
        self.0.is_interrupted.load(Ordering::Acquire)
    }

    /// Lets all requests ask again; used when Redis was flushed or replaced.
    pub fn ask_again(&self) {
        self.0.call_all();
    }

    /// Refuses all waiting requests, and later ones, with [`super::LockError::Closed`]; for the stop of the process, so that they leave
    /// their queues while they can, and ask another instance.
    pub fn close(&self) {
        self.0.waiting.close();
    }

    /// Resolves when requests may not wait any more.
    pub(super) async fn closed(&self) {
        self.0.waiting.closed().await;
    }

    /// Returns a name for one attempt to get a lock.
    pub(super) fn attempt(&self) -> String {
        let number = self.0.attempts.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.0.instance)
    }

    /// Registers an attempt at the lock with this key. The first of all waits until messages are heard.
    pub(super) async fn register(&self, key: String, attempt: &str) -> Registration {
        let waiter = Arc::<Waiter>::default();
        self.0.add(&key, attempt, &waiter);
        let registration = Registration {
            registry: Arc::clone(&self.0),
            key,
            waiter,
        };
        self.0.waiting.begin().await;
        registration
    }
}

impl Registry {
    fn new() -> Self {
        Self {
            instance: Uuid::new_v4().simple().to_string()[..16].to_owned(),
            attempts: AtomicU64::new(0),
            lines: Mutex::default(),
            waiting: Waiting::default(),
            is_interrupted: AtomicBool::new(false),
        }
    }

    fn add(&self, key: &str, attempt: &str, waiter: &Arc<Waiter>) {
        let mut lines = self.lines.lock();
        let line = lines.entry(key.to_owned()).or_insert_with(|| Line {
            members: VecDeque::new(),
            until: Instant::now() + CLAIM,
            heard: 0,
        });
        line.members.push_back(Member {
            attempt: attempt.to_owned(),
            waiter: Arc::clone(waiter),
        });
    }

    fn call_all(&self) {
        for line in self.lines.lock().values() {
            line.members.iter().for_each(|member| member.waiter.call());
        }
    }
}

impl Listener for Registry {
    fn note(&self, heard: bool) {
        self.is_interrupted.store(!heard, Ordering::Release);
        self.waiting.note_attempt();
        if heard {
            self.call_all();
        }
    }

    /// Takes in a message of a script: `ATTEMPT KEY`, the lock is offered to that attempt. If that is an attempt of another instance, the
    /// watching request takes the end of the offer from it.
    fn hear(&self, message: &[u8]) {
        let message = str::from_utf8(message).ok();
        let Some((attempt, key)) = message.and_then(|message| message.split_once(' ')) else {
            return;
        };
        let mut lines = self.lines.lock();
        let Some(line) = lines.get_mut(key) else { return };
        line.until = Instant::now() + CLAIM;
        line.heard += 1;
        if let Some(member) = line.members.iter().find(|member| member.attempt == attempt) {
            member.waiter.call();
        }
        line.wake_first();
    }
}

impl Line {
    /// Wakes the request that keeps watch.
    fn wake_first(&self) {
        if let Some(first) = self.members.front() {
            first.waiter.wake();
        }
    }
}

/// A waiting request's place in its line. It leaves the line when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    key: String,
    waiter: Arc<Waiter>,
}

impl Registration {
    /// Returns how many messages about the lock were heard so far; for [`Self::note`], with the answer to the next question.
    pub(super) fn heard(&self) -> u64 {
        self.registry.lines.lock().get(&self.key).map_or(0, |line| line.heard)
    }

    /// Notes when the lease in the way ends, by an answer that was asked for after `heard` messages. If there are more by now, the answer
    /// may be older than those, and does not make the watch longer.
    pub(super) fn note(&self, heard: u64, until: Instant) {
        if let Some(line) = self.registry.lines.lock().get_mut(&self.key) {
            line.until = if line.heard == heard {
                until
            } else {
                line.until.min(until)
            };
            line.wake_first();
        }
    }

    /// Resolves when it is time to ask for the lock.
    pub(super) async fn called(&self) {
        loop {
            if self.waiter.take_call() {
                return;
            }
            let watch = self.watch_until();
            let ended = async {
                match watch {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.waiter.woken() => {}
                () = ended => return,
            }
        }
    }

    /// Returns until when this request watches, if it is the first.
    fn watch_until(&self) -> Option<Instant> {
        let lines = self.registry.lines.lock();
        let line = lines.get(&self.key)?;
        let first = line.members.front()?;
        Arc::ptr_eq(&first.waiter, &self.waiter).then_some(line.until)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut lines = self.registry.lines.lock();
        let Some(line) = lines.get_mut(&self.key) else { return };
        line.members.retain(|member| !Arc::ptr_eq(&member.waiter, &self.waiter));
        if line.members.is_empty() {
            lines.remove(&self.key);
        } else {
            // Another request may keep watch from now on.
            line.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_hours(1);

    /// Two requests that wait for the same lock while messages are heard.
    async fn two_requests() -> (Wakeups, Registration, Registration) {
        let wakeups = Wakeups(Arc::new(Registry::new()));
        wakeups.0.note(true);
        let (first, second) = (
            wakeups.register("lock".into(), "a-1").await,
            wakeups.register("lock".into(), "a-2").await,
        );
        (wakeups, first, second)
    }

    #[tokio::test]
    async fn an_answer_that_is_older_than_a_message_does_not_lengthen_the_watch() {
        let (wakeups, first, second) = two_requests().await;
        let (asked, later) = (first.heard(), Instant::now() + HOUR);
        wakeups.0.hear(b"b-1 lock");
        let until = first.watch_until();
        assert!(until < Some(later), "{until:?}");
        // Whichever of them asked before the message.
        for request in [&first, &second] {
            request.note(asked, later);
            assert_eq!(first.watch_until(), until);
        }
        // An earlier end still counts, and the watching request asks then.
        let soon = Instant::now() + Duration::from_millis(5);
        second.note(asked, soon);
        assert_eq!(first.watch_until(), Some(soon));
        first.called().await;
        first.note(first.heard(), later);
        assert_eq!(first.watch_until(), Some(later));
    }
}
