use super::grid::{GridPoint, grid_point};
use super::state::State;
use super::{Applied, LiveIndex, Origin, Outcome, PIECE, Update};
use crate::Id;
use crate::model::Removed;

/// What can be computed from an update before the lock is taken.
#[derive(Debug, Clone, Copy, Default)]
struct Prepared {
    hash: u64,
    at: GridPoint,
}

impl LiveIndex {
    /// Applies a batch of updates and counts the outcomes.
    pub fn apply(&self, origin: Origin, updates: &[Update], now_ms: i64) -> Applied {
        self.apply_each(origin, updates, now_ms, |_, _| {})
    }

    /// Does the same as [`Self::apply`], and calls `outcome` with the outcome of each update and its position in the batch.
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

    /// Removes an entity. Returns whether it had a position.
    ///
    /// A tombstone remains, so that a fix from before the removal that arrives late does not restore the entity; a newer
    /// one does. A removal older than the entity's fix is ignored. An unknown entity gets a tombstone if there is room.
    pub fn remove(&self, origin: Origin, id: &Id, removed: Removed) -> bool {
        let hash = self.hash(id);
        let mut state = self.state.write();
        if let Some(slot) = state.find(hash, id) {
            return state.make_tombstone(slot, origin, removed);
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
        // All are looked up first, so that the processor loads many places of memory at the same time.
        let mut slots = [None; PIECE];
        for ((slot, prepared), update) in slots.iter_mut().zip(&prepared).zip(updates) {
            *slot = state.find(prepared.hash, &update.id);
        }
        for (i, update) in updates.iter().enumerate() {
            if cfg!(debug_assertions) {
                (self.failpoint)(&update.id);
            }
            // One that the store has is accepted at any age: the next sweep returns it, so that the caller can remove it from the store.
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
