//! Lease requests of this process that wait for jobs, and the subscription that wakes them.
//!
//! Requests for the same types of the same queue form one line. Only the first of a line calls Redis, so requests are served in the order
//! in which they arrived; when it leaves, with or without jobs, the next one tries. A message wakes the first of each line of its queue.
//! After an interruption of the subscription the first of every line tries, because a message may have been missed.

use super::occupancy::Occupancy;
use super::queue_cache::RegisteredQueues;
use crate::ids::Id;
use crate::store::{Listener, Store, Waiter, Waiting};
use compact_str::CompactString;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Wakes the lease requests that wait in this process. A process has one; clones share it.
#[derive(Debug, Clone)]
pub struct Wakeups(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    // Never locked across an await.
    queues: Mutex<HashMap<Id, Lines>>,
    waiting: Waiting,
    registered: RegisteredQueues,
    occupancy: Arc<Occupancy>,
}

/// The waiting requests of one queue, by the types that they request.
type Lines = HashMap<Vec<CompactString>, VecDeque<Arc<Waiter>>>;

impl Wakeups {
    /// Subscribes in the background of the current runtime, from the first request that waits until the last handle is dropped.
    #[must_use]
    pub fn listen(store: &Store) -> Self {
        let registry = Arc::<Registry>::default();
        registry
            .waiting
            .listen(store, "jobs.wakeups", store.keys().queue_wake(), &registry);
        Self(registry)
    }

    /// Lets the first request of every line query Redis again; used when Redis was flushed or replaced.
    pub fn wake_all(&self) {
        self.0.queues.lock().values().for_each(call_first);
    }

    pub(super) fn registered(&self) -> &RegisteredQueues {
        &self.0.registered
    }

    pub(super) fn occupancy(&self) -> &Arc<Occupancy> {
        &self.0.occupancy
    }

    /// Answers all waiting requests, and later ones, without jobs; for the stop of the process.
    pub fn close(&self) {
        self.0.waiting.close();
    }

    /// Resolves when requests may not wait any more.
    pub(super) async fn closed(&self) {
        self.0.waiting.closed().await;
    }

    /// Registers a request at the end of its line. The first request of the process waits for the subscription.
    pub(super) async fn register(&self, queue: &Id, kinds: &[CompactString]) -> Registration {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        let waiter = Arc::<Waiter>::default();
        {
            let mut queues = self.0.queues.lock();
            let lines = queues.entry(queue.clone()).or_default();
            lines.entry(kinds.clone()).or_default().push_back(Arc::clone(&waiter));
        }
        let registration = Registration {
            registry: Arc::clone(&self.0),
            queue: queue.clone(),
            kinds,
            waiter,
        };
        self.0.waiting.begin().await;
        registration
    }
}

impl Listener for Registry {
    fn set_subscribed(&self, subscribed: bool) {
        self.waiting.note_attempt();
        if subscribed {
            self.queues.lock().values().for_each(call_first);
        }
    }

    /// Handles a message of a script: the queue has a job, or will have one earlier than expected.
    fn receive(&self, queue: &[u8]) {
        let queues = self.queues.lock();
        if let Some(lines) = str::from_utf8(queue).ok().and_then(|queue| queues.get(queue)) {
            call_first(lines);
        }
    }
}

fn call_first(lines: &Lines) {
    lines
        .values()
        .filter_map(VecDeque::front)
        .for_each(|waiter| waiter.call());
}

/// The place of a waiting request in its line. The request leaves the line when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    queue: Id,
    kinds: Vec<CompactString>,
    waiter: Arc<Waiter>,
}

impl Registration {
    /// Returns whether it is the first of its line.
    pub fn is_first(&self) -> bool {
        let queues = self.registry.queues.lock();
        let line = queues.get(&self.queue).and_then(|lines| lines.get(&self.kinds));
        line.and_then(VecDeque::front)
            .is_some_and(|first| Arc::ptr_eq(first, &self.waiter))
    }

    /// Resolves when the request is called, at the latest at `until`.
    pub async fn called(&self, until: Instant) {
        // The caller checks the time itself.
        let _ = timeout_at(until, self.waiter.called()).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut queues = self.registry.queues.lock();
        let Some(lines) = queues.get_mut(&self.queue) else {
            return;
        };
        let Some(line) = lines.get_mut(&self.kinds) else { return };
        line.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
        if let Some(first) = line.front() {
            first.call();
            return;
        }
        lines.remove(&self.kinds);
        if lines.is_empty() {
            queues.remove(&self.queue);
        }
    }
}
