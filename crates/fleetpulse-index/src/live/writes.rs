use super::grid::{At, grid_point};
use super::state::State;
use super::{Applied, LiveIndex, Origin, Outcome, PIECE, Update};
use crate::Id;
use crate::model::Removed;

/// What can be worked out of an update before the lock is taken.
#[derive(Debug, Clone, Copy, Default)]
struct Prepared {
    hash: u64,
    at: At,
}

impl LiveIndex {
    /// Takes a batch of updates and counts what became of them.
    pub fn apply(&self, origin: Origin, updates: &[Update], now_ms: i64) -> Applied {
        self.apply_each(origin, updates, now_ms, |_, _| {})
    }

    /// As [`Self::apply`], and tells `outcome` what became of each update, by its place in the batch.
    ///
    /// `outcome` is called without the lock.
    pub fn apply_each(
        &self,
        origin: Origin,
        updates: &[Update],
        now_ms: i64,
        mut outcome: impl FnMut(usize, Outcome),
    ) -> Applied {
        let mut applied = Applied::default();
        for (piece, updates) in updates.chunks(PIECE).enumerate() {
            let mut outcomes = [Outcome::Stale; PIECE];
            self.apply_piece(origin, updates, now_ms, &mut outcomes);
            for (i, became) in outcomes.iter().take(updates.len()).enumerate() {
                match became {
                    Outcome::Created | Outcome::Applied => applied.fresh += 1,
                    Outcome::Stale => applied.stale += 1,
                    Outcome::Full => applied.full += 1,
                }
                outcome(piece * PIECE + i, *became);
            }
        }
        applied
    }

    /// Removes an entity; whether it had a position until now.
    ///
    /// Leaves a tombstone, so that a fix from before the removal that arrives late does not bring the entity back; a newer
    /// one does. A removal older than the entity's fix is ignored. An unknown entity gets a tombstone if there is room.
    pub fn remove(&self, origin: Origin, id: &Id, removed: Removed) -> bool {
        let hash = self.hash(id);
        let mut state = self.state.write();
        if let Some(slot) = state.find(hash, id) {
            return state.bury(slot, origin, removed);
        }
        if state.records.len() < self.max_entities {
            state.add_tombstone(hash, origin, id, removed);
        }
        false
    }

    fn apply_piece(&self, origin: Origin, updates: &[Update], now_ms: i64, outcomes: &mut [Outcome; PIECE]) {
        let mut prepared = [Prepared::default(); PIECE];
        for (prepared, update) in prepared.iter_mut().zip(updates) {
            *prepared = Prepared {
                hash: self.hash(&update.id),
                at: grid_point(update.fix.point),
            };
        }
        let mut state = self.state.write();
        // Looking all up first lets the processor wait for many places of memory at once.
        let mut slots = [None; PIECE];
        for ((slot, prepared), update) in slots.iter_mut().zip(&prepared).zip(updates) {
            *slot = state.find(prepared.hash, &update.id);
        }
        for (i, update) in updates.iter().enumerate() {
            if cfg!(debug_assertions) {
                (self.failpoint)(&update.id);
            }
            // One that Redis has is taken at any age: the next sweep finds it, and has it taken out of Redis as well.
            outcomes[i] = if origin != Origin::Stored && self.is_expired(update.fix.timestamp_ms, now_ms) {
                Outcome::Stale
            } else {
                self.apply_one(&mut state, origin, update, prepared[i], slots[i], now_ms)
            };
        }
    }

    fn apply_one(
        &self,
        state: &mut State,
        origin: Origin,
        update: &Update,
        Prepared { hash, at }: Prepared,
        slot: Option<u32>,
        now_ms: i64,
    ) -> Outcome {
        // An unknown id may have become known by an earlier update of the same batch.
        match slot.or_else(|| state.find(hash, &update.id)) {
            Some(slot) => state.update(slot, origin, update, at, now_ms),
            None if state.records.len() >= self.max_entities => Outcome::Full,
            None => {
                state.add(hash, origin, update, at);
                Outcome::Created
            }
        }
    }
}
