//! Caches what a process knows of queues: how many types each has, so that its calls name all keys, and when it was last registered as
//! in use. A wrong entry costs one more call. All entries are discarded when Redis was flushed or replaced.

use crate::ids::Id;
use crate::store::{Keys, Store};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Queues that are remembered; beyond it all are forgotten.
const MOST: usize = 10_000;
/// How often a queue in use is noted as that.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// The queues that a process knows of, in the current Redis.
#[derive(Debug)]
pub(super) struct KnownQueues {
    store: Store,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    /// The generation of the store that the entries belong to.
    generation: u64,
    known: HashMap<Id, Known>,
}

#[derive(Debug, Default)]
struct Known {
    types: usize,
    keys: Arc<[String]>,
    noted: Option<Instant>,
}

impl KnownQueues {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            queues: Mutex::default(),
        }
    }

    fn with<T>(&self, queue: &Id, look: impl FnOnce(&mut Known) -> T) -> T {
        let generation = self.store.generation();
        let mut queues = self.queues.lock();
        if queues.generation != generation {
            queues.generation = generation;
            queues.known.clear();
        }
        if let Some(known) = queues.known.get_mut(queue) {
            return look(known);
        }
        if queues.known.len() >= MOST {
            queues.known.clear();
        }
        look(queues.known.entry(queue.clone()).or_default())
    }

    /// All keys of a queue, as far as its types are known; of one type at least.
    pub fn keys(&self, keys: &Keys, queue: &Id) -> Arc<[String]> {
        self.with(queue, |known| {
            if known.keys.is_empty() {
                known.keys = keys.queue(queue, known.types.max(1)).into();
            }
            Arc::clone(&known.keys)
        })
    }

    /// The queue has so many types.
    pub fn learn(&self, queue: &Id, types: usize) {
        self.with(queue, |known| {
            known.types = types;
            known.keys = Arc::default();
        });
    }

    /// Whether it is time to note that the queue is in use.
    pub fn is_to_be_noted(&self, queue: &Id) -> bool {
        self.with(queue, |known| {
            known.noted.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY)
        })
    }

    /// It was noted at this moment.
    pub fn noted(&self, queue: &Id, at: Instant) {
        self.with(queue, |known| known.noted = Some(at));
    }

    /// The queue is not in use any more, as far as Redis knows.
    pub fn forget(&self, queue: &Id) {
        self.queues.lock().known.remove(queue);
    }
}

/// The queues that any thread of a process has registered lately, so that they can be registered again after Redis lost them. For a
/// moment the process does not notice that Redis was replaced; jobs that are added in that time must not stay in an unregistered queue.
#[derive(Debug, Default)]
pub(super) struct NotedQueues(Mutex<HashMap<Id, Instant>>);

impl NotedQueues {
    pub fn insert(&self, queue: &Id, at: Instant) {
        let mut noted = self.0.lock();
        if noted.len() >= MOST && !noted.contains_key(queue) {
            noted.retain(|_, at| at.elapsed() < 2 * NOTED_EVERY);
        }
        if noted.len() < MOST || noted.contains_key(queue) {
            noted.insert(queue.clone(), at);
        }
    }

    /// Returns the queues that some thread may still consider registered.
    pub fn lately(&self) -> Vec<Id> {
        let mut noted = self.0.lock();
        noted.retain(|_, at| at.elapsed() < 2 * NOTED_EVERY);
        noted.keys().cloned().collect()
    }
}
