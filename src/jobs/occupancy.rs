//! The total size of all queues, as of the last sweep of this process.
//!
//! Each queue has its slot in Redis, so no script can count all of them. A script bounds its own queue exactly, by the total limit less the
//! size of the other queues at their last sweep by this process, up to five seconds ago.

use crate::ids::Id;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem;

/// The size of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct QueueSize {
    /// Jobs that wait or are leased.
    pub waiting: u64,
    /// The size in bytes, as `lua/queue.lua` counts it.
    pub bytes: u64,
}

/// The sizes of the queues; at most `JOBS_MAX_QUEUES`.
#[derive(Debug, Default)]
pub(super) struct Occupancy(Mutex<Sizes>);

#[derive(Debug, Default)]
struct Sizes {
    queues: HashMap<Id, QueueSize>,
    all: QueueSize,
}

impl Occupancy {
    /// Sets the size of a queue.
    pub fn set(&self, queue: &Id, held: QueueSize) {
        let mut sizes = self.0.lock();
        let was = sizes.queues.insert(queue.clone(), held).unwrap_or_default();
        sizes.change(was, held);
    }

    /// Removes all other queues.
    pub fn keep(&self, queues: &[Id]) {
        let mut sizes = self.0.lock();
        if sizes.queues.len() <= queues.len() && queues.iter().all(|queue| sizes.queues.contains_key(queue)) {
            return;
        }
        let mut before = mem::take(&mut *sizes);
        for queue in queues {
            if let Some(held) = before.queues.remove(queue) {
                sizes.queues.insert(queue.clone(), held);
                sizes.change(QueueSize::default(), held);
            }
        }
    }

    /// Returns the total size of the other queues.
    pub fn of_others(&self, queue: &Id) -> QueueSize {
        let sizes = self.0.lock();
        let own = sizes.queues.get(queue).copied().unwrap_or_default();
        QueueSize {
            waiting: sizes.all.waiting.saturating_sub(own.waiting),
            bytes: sizes.all.bytes.saturating_sub(own.bytes),
        }
    }
}

impl Sizes {
    fn change(&mut self, was: QueueSize, is: QueueSize) {
        self.all.waiting = (self.all.waiting + is.waiting).saturating_sub(was.waiting);
        self.all.bytes = (self.all.bytes + is.bytes).saturating_sub(was.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    #[test]
    fn the_size_of_the_others_excludes_one_queue() {
        let occupancy = Occupancy::default();
        let held = |waiting, bytes| QueueSize { waiting, bytes };
        assert_eq!(occupancy.of_others(&id("a")), held(0, 0));
        occupancy.set(&id("a"), held(5, 500));
        occupancy.set(&id("b"), held(7, 700));
        occupancy.set(&id("a"), held(2, 200));
        assert_eq!(occupancy.of_others(&id("a")), held(7, 700));
        assert_eq!(occupancy.of_others(&id("b")), held(2, 200));
        assert_eq!(occupancy.of_others(&id("new")), held(9, 900));
        occupancy.keep(&[id("b"), id("new")]);
        assert_eq!(occupancy.of_others(&id("new")), held(7, 700));
    }
}
