//! Requests of this process that wait for locks, and the subscription that wakes them.
//!
//! A request registers before it tries to acquire the lock, so that it misses no message. Of the requests that wait for the same lock
//! the first one has a timer: it tries again when the current lease must have expired. So a lock whose holder crashed is acquired after
//! one call of each instance, however many requests wait. After an interruption of the subscription every request tries once, because
//! a message may have been missed.

use super::commands::CLAIM;
use crate::store::{Listener, Store, Waiter, Waiting};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Wakes the requests that wait in this process. A process has one; clones share it.
#[derive(Debug, Clone)]
pub struct Wakeups(Arc<Registry>);

#[derive(Debug)]
struct Registry {
    /// 16 hexadecimal digits: part of the channel's name, and the prefix of the name of every attempt.
    instance: String,
    attempts: AtomicU64,
    /// Keyed by the lock's key. Never locked across an await.
    lines: Mutex<HashMap<String, Line>>,
    waiting: Waiting,
    /// Whether the subscription is interrupted, because Redis is unavailable.
    is_interrupted: AtomicBool,
}

/// The requests that wait for one lock, in order of arrival.
#[derive(Debug)]
struct Line {
    members: VecDeque<Member>,
    /// When the current lease or offer ends, as far as this process knows.
    until: Instant,
    /// The number of messages about the lock. Messages and replies of Redis arrive on different connections, so a reply may be older than
    /// a message that arrived before it.
    messages: u64,
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

    /// Lets all requests try again; used when Redis was flushed or replaced.
    pub fn wake_all(&self) {
        self.0.call_all();
    }

    /// Refuses all waiting requests, and later ones, with [`super::LockError::Closed`]. Called when the process stops, so that the requests
    /// leave their queues in Redis, and their clients can use another instance.
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

    /// Registers an attempt to acquire the lock with this key. The first request of the process waits for the subscription.
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
            messages: 0,
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
    fn set_subscribed(&self, subscribed: bool) {
        self.is_interrupted.store(!subscribed, Ordering::Release);
        self.waiting.note_attempt();
        if subscribed {
            self.call_all();
        }
    }

    /// Handles a message of a script, `ATTEMPT KEY`: the lock is offered to that attempt. The first request sets its timer to the end of
    /// the offer, also if it is for an attempt of another instance.
    fn receive(&self, message: &[u8]) {
        let message = str::from_utf8(message).ok();
        let Some((attempt, key)) = message.and_then(|message| message.split_once(' ')) else {
            return;
        };
        let mut lines = self.lines.lock();
        let Some(line) = lines.get_mut(key) else { return };
        line.until = Instant::now() + CLAIM;
        line.messages += 1;
        if let Some(member) = line.members.iter().find(|member| member.attempt == attempt) {
            member.waiter.call();
        }
        line.wake_first();
    }
}

impl Line {
    /// Wakes the first request, which has the timer.
    fn wake_first(&self) {
        if let Some(first) = self.members.front() {
            first.waiter.wake();
        }
    }
}

/// The place of a waiting request in its line. The request leaves the line when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    key: String,
    waiter: Arc<Waiter>,
}

impl Registration {
    /// Returns the number of messages about the lock so far, for [`Self::set_end`] after the next reply.
    pub(super) fn messages(&self) -> u64 {
        self.registry
            .lines
            .lock()
            .get(&self.key)
            .map_or(0, |line| line.messages)
    }

    /// Sets when the current lease or offer ends, from a reply that was requested after `messages` messages. If more have arrived since, the
    /// reply may be older than those, and can only make the wait shorter.
    pub(super) fn set_end(&self, messages: u64, until: Instant) {
        if let Some(line) = self.registry.lines.lock().get_mut(&self.key) {
            line.until = if line.messages == messages {
                until
            } else {
                line.until.min(until)
            };
            line.wake_first();
        }
    }

    /// Resolves when it is time to try to acquire the lock.
    pub(super) async fn called(&self) {
        loop {
            if self.waiter.take_call() {
                return;
            }
            let watch = self.timer_end();
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

    /// Returns when the timer of this request ends, if it is the first one.
    fn timer_end(&self) -> Option<Instant> {
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
            // Another request may be the first one now, and set its timer.
            line.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_hours(1);

    /// Two requests that wait for the same lock while the process is subscribed.
    async fn two_requests() -> (Wakeups, Registration, Registration) {
        let wakeups = Wakeups(Arc::new(Registry::new()));
        wakeups.0.set_subscribed(true);
        let (first, second) = (
            wakeups.register("lock".into(), "a-1").await,
            wakeups.register("lock".into(), "a-2").await,
        );
        (wakeups, first, second)
    }

    #[tokio::test]
    async fn a_reply_that_is_older_than_a_message_does_not_lengthen_the_wait() {
        let (wakeups, first, second) = two_requests().await;
        let (messages, later) = (first.messages(), Instant::now() + HOUR);
        wakeups.0.receive(b"b-1 lock");
        let until = first.timer_end();
        assert!(until < Some(later), "{until:?}");
        // Both replies were requested before the message.
        for request in [&first, &second] {
            request.set_end(messages, later);
            assert_eq!(first.timer_end(), until);
        }
        // An earlier end still applies, and the first request tries then.
        let soon = Instant::now() + Duration::from_millis(5);
        second.set_end(messages, soon);
        assert_eq!(first.timer_end(), Some(soon));
        first.called().await;
        first.set_end(first.messages(), later);
        assert_eq!(first.timer_end(), Some(later));
    }
}
