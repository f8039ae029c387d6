use super::Kind;
use crate::ids::Id;
use hashbrown::HashSet;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most entities that wait. Further ones are left to the next load, which reads the whole index.
const MOST: usize = 2_000_000;

/// Entities that may be in Redis's index but are not in the live index: expired here, past their time to live when they were loaded, or
/// without room. No other task handles their index entries, so they are removed from Redis when their snapshots have expired; see
/// [`super::expiry`].
#[derive(Debug, Default)]
pub(super) struct Orphans(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    known: HashSet<(Kind, Id)>,
    /// The time at which each is checked in Redis, Unix milliseconds.
    due: BinaryHeap<Reverse<(i64, usize, Id)>>,
}

impl Orphans {
    /// Schedules a check of an entity at a time, Unix milliseconds. An earlier scheduled time stays.
    pub fn add(&self, kind: Kind, id: &Id, due_ms: i64) {
        let mut waiting = self.0.lock();
        if waiting.known.len() < MOST && waiting.known.insert((kind, id.clone())) {
            waiting.due.push(Reverse((due_ms, kind.index(), id.clone())));
        }
    }

    /// Removes and returns up to `most` entities that are due.
    pub fn take_due(&self, now_ms: i64, most: usize) -> Vec<(Kind, Id)> {
        let mut waiting = self.0.lock();
        let mut due = Vec::new();
        while due.len() < most
            && let Some(Reverse((due_ms, ..))) = waiting.due.peek()
            && *due_ms <= now_ms
            && let Some(Reverse((_, kind, id))) = waiting.due.pop()
        {
            let entity = (Kind::ALL[kind], id);
            waiting.known.remove(&entity);
            due.push(entity);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_once_and_is_taken_when_it_is_due() {
        let orphans = Orphans::default();
        let id = |n: u32| Id::parse(&format!("d-{n}")).unwrap();
        for (n, due_ms) in [(1, 30), (2, 10), (1, 5), (3, 20)] {
            orphans.add(Kind::Drivers, &id(n), due_ms);
        }
        let due = |now_ms, most| {
            orphans
                .take_due(now_ms, most)
                .into_iter()
                .map(|(_, id)| id)
                .collect::<Vec<_>>()
        };
        assert_eq!(due(20, 1), [id(2)]);
        assert_eq!(due(20, 9), [id(3)]);
        assert_eq!(due(20, 9), []);
        assert_eq!(due(30, 9), [id(1)]);
    }
}
