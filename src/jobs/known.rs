//! What a process remembers of queues: how many types each has, so that its calls name all keys, and when it was noted as one
//! that is in use. To be wrong costs a call more.

use crate::ids::Id;
use crate::store::Keys;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Queues that are remembered; beyond it all are forgotten.
const MOST: usize = 10_000;
/// How often a queue in use is noted as that.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// The queues that this process knows of.
#[derive(Debug, Default)]
pub(super) struct KnownQueues(Mutex<HashMap<Id, Known>>);

#[derive(Debug, Default)]
struct Known {
    types: usize,
    keys: Arc<[String]>,
    noted: Option<Instant>,
}

impl KnownQueues {
    fn with<T>(&self, queue: &Id, look: impl FnOnce(&mut Known) -> T) -> T {
        let mut queues = self.0.lock();
        if let Some(known) = queues.get_mut(queue) {
            return look(known);
        }
        if queues.len() >= MOST {
            queues.clear();
        }
        look(queues.entry(queue.clone()).or_default())
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
        self.0.lock().remove(queue);
    }
}
