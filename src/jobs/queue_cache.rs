//! A cache of the queues of a process: the number of types of each, so that its calls name all keys, and when it was last registered
//! as in use. A wrong entry costs one more call. All entries are discarded when Redis was flushed or replaced.

use crate::ids::Id;
use crate::store::{Keys, Store};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Maximum number of entries. When it is exceeded all entries are discarded.
const MAX_QUEUES: usize = 10_000;
/// The interval at which a queue in use is registered.
const REGISTER_EVERY: Duration = Duration::from_mins(1);

/// The cached queues of a process, in the current Redis.
#[derive(Debug)]
pub(super) struct QueueCache {
    store: Store,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    /// The generation of the store that the entries belong to.
    generation: u64,
    entries: HashMap<Id, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    types: usize,
    keys: Arc<[String]>,
    registered: Option<Instant>,
}

impl QueueCache {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            queues: Mutex::default(),
        }
    }

    fn with<T>(&self, queue: &Id, apply: impl FnOnce(&mut Entry) -> T) -> T {
        let generation = self.store.generation();
        let mut queues = self.queues.lock();
        if queues.generation != generation {
            queues.generation = generation;
            queues.entries.clear();
        }
        if let Some(entry) = queues.entries.get_mut(queue) {
            return apply(entry);
        }
        if queues.entries.len() >= MAX_QUEUES {
            queues.entries.clear();
        }
        apply(queues.entries.entry(queue.clone()).or_default())
    }

    /// Returns all keys of a queue, with the cached number of types; of at least one type.
    pub fn keys(&self, keys: &Keys, queue: &Id) -> Arc<[String]> {
        self.with(queue, |entry| {
            if entry.keys.is_empty() {
                entry.keys = keys.queue(queue, entry.types.max(1)).into();
            }
            Arc::clone(&entry.keys)
        })
    }

    /// Sets the number of types of a queue.
    pub fn set_types(&self, queue: &Id, types: usize) {
        self.with(queue, |entry| {
            entry.types = types;
            entry.keys = Arc::default();
        });
    }

    /// Returns whether it is time to register the queue as in use.
    pub fn needs_registration(&self, queue: &Id) -> bool {
        self.with(queue, |entry| {
            entry.registered.is_none_or(|at| at.elapsed() >= REGISTER_EVERY)
        })
    }

    /// Records that a queue was registered at a time.
    pub fn mark_registered(&self, queue: &Id, at: Instant) {
        self.with(queue, |entry| entry.registered = Some(at));
    }

    /// Removes a queue that is no longer in use.
    pub fn forget(&self, queue: &Id) {
        self.queues.lock().entries.remove(queue);
    }
}

/// The queues that any thread of a process has registered recently, so that they can be registered again after Redis lost them. The
/// process detects late that Redis was replaced; jobs that are added before that must not stay in an unregistered queue.
#[derive(Debug, Default)]
pub(super) struct RegisteredQueues(Mutex<HashMap<Id, Instant>>);

impl RegisteredQueues {
    pub fn insert(&self, queue: &Id, at: Instant) {
        let mut registered = self.0.lock();
        if registered.len() >= MAX_QUEUES && !registered.contains_key(queue) {
            registered.retain(|_, at| at.elapsed() < 2 * REGISTER_EVERY);
        }
        if registered.len() < MAX_QUEUES || registered.contains_key(queue) {
            registered.insert(queue.clone(), at);
        }
    }

    /// Returns the queues that a thread may still consider registered.
    pub fn recent(&self) -> Vec<Id> {
        let mut registered = self.0.lock();
        registered.retain(|_, at| at.elapsed() < 2 * REGISTER_EVERY);
        registered.keys().cloned().collect()
    }
}
