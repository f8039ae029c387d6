//! What all queues hold together, as of the last sweep of this process.
//!
//! Each queue has its slot in Redis, so no script can count all of them. A script bounds its own queue exactly, by what all queues may hold
//! less what the others held when a sweep of this process last saw them: up to five seconds ago.

use crate::ids::Id;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem;

/// What a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct QueueSize {
    /// Jobs that wait or are leased.
    pub waiting: u64,
    /// Bytes, as `lua/queue.lua` counts them.
    pub bytes: u64,
}

/// What each queue holds. There are no more of them than there may be queues (`JOBS_MAX_QUEUES`).
#[derive(Debug, Default)]
pub(super) struct Occupancy(Mutex<Sizes>);

#[derive(Debug, Default)]
struct Sizes {
    queues: HashMap<Id, QueueSize>,
    all: QueueSize,
}

impl Occupancy {
    /// Notes what a queue holds.
    pub fn set(&self, queue: &Id, held: QueueSize) {
        let mut known = self.0.lock();
        let was = known.queues.insert(queue.clone(), held).unwrap_or_default();
        known.change(was, held);
    }

    /// Forgets all queues but these.
    pub fn keep(&self, queues: &[Id]) {
        let mut known = self.0.lock();
        if known.queues.len() <= queues.len() && queues.iter().all(|queue| known.queues.contains_key(queue)) {
            return;
        }
        let mut before = mem::take(&mut *known);
        for queue in queues {
            if let Some(held) = before.queues.remove(queue) {
                known.queues.insert(queue.clone(), held);
                known.change(QueueSize::default(), held);
            }
        }
    }

    /// Returns what all queues but this one hold.
    pub fn of_others(&self, queue: &Id) -> QueueSize {
        let known = self.0.lock();
        let own = known.queues.get(queue).copied().unwrap_or_default();
        QueueSize {
            waiting: known.all.waiting.saturating_sub(own.waiting),
            bytes: known.all.bytes.saturating_sub(own.bytes),
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
    fn the_others_are_all_but_one() {
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
