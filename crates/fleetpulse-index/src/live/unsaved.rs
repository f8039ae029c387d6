//! Data that the store does not have: accepted while it was unavailable, or lost by it.

use super::record::Record;
use super::state::State;
use super::{LiveIndex, PIECE};
use crate::Id;
use crate::model::Fix;
use crate::profile::Profile;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Records examined in one hold of the lock.
const RECORDS_PER_HOLD: u32 = 256;

/// An entity that is to be written to the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsaved {
    /// The entity.
    pub id: Id,
    /// Its newest fix; `None` if it was removed. Present even if only the profile is unsaved.
    pub fix: Option<Fix>,
    /// When the fix was taken, or the entity removed, Unix milliseconds.
    pub timestamp_ms: i64,
    /// When that was received, Unix microseconds, as in [`Fix`].
    pub received_us: i64,
    /// Whether the fix, or the removal, is unsaved.
    pub position_unsaved: bool,
    /// The unsaved members of the profile.
    pub change: Option<Arc<Profile>>,
}

fn mark_one_saved(state: &mut State, slot: u32, written: &Unsaved) {
    let record = &mut state.records[slot];
    let fix = record.is_live().then(|| record.fix());
    if (record.timestamp_ms, record.received_us, fix) == (written.timestamp_ms, written.received_us, written.fix) {
        record.unsaved = false;
        state.update_unsaved_set(slot);
    }
}

/// An entity that the store has not confirmed, or not entirely, since a reload began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The entity.
    pub id: Id,
    /// Whether its fix or removal is unconfirmed.
    pub position: bool,
    /// Whether its profile is unconfirmed.
    pub profile: bool,
}

impl Unsaved {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            id: record.id.clone(),
            fix: record.is_live().then(|| record.fix()),
            timestamp_ms: record.timestamp_ms,
            received_us: record.received_us,
            position_unsaved: record.unsaved,
            change: record.profile.as_ref().and_then(|held| held.unsaved.clone()),
        }
    }
}

impl LiveIndex {
    /// Returns the number of entities with anything unsaved.
    #[must_use]
    pub fn unsaved_len(&self) -> usize {
        self.state.read().unsaved.len()
    }

    /// Returns up to `max` entities with anything unsaved. They stay unsaved until they are marked as saved.
    ///
    /// Each call continues where the last one stopped and starts over at the end, so that an entity that cannot be written
    /// does not delay the others.
    #[must_use]
    pub fn unsaved(&self, max: usize) -> Vec<Unsaved> {
        let mut unsaved = Vec::new();
        let start = self.unsaved_at.load(Relaxed);
        let (mut at, mut wrapped) = (start, false);
        while unsaved.len() < max {
            let state = self.state.read();
            for _ in 0..PIECE.min(max - unsaved.len()) {
                match state.unsaved.next(at) {
                    Some(slot) if !wrapped || slot < start => {
                        unsaved.push(Unsaved::of(&state.records[slot]));
                        at = slot + 1;
                    }
                    None if !wrapped => (at, wrapped) = (0, true),
                    _ => {
                        self.unsaved_at.store(at, Relaxed);
                        return unsaved;
                    }
                }
            }
        }
        self.unsaved_at.store(at, Relaxed);
        unsaved
    }

    /// Clears the unsaved mark of each fix or removal that is still identical to the given one. One that was replaced while it was being
    /// written stays unsaved.
    pub fn mark_saved<'a>(&self, saved: impl IntoIterator<Item = &'a Unsaved>) {
        let mut saved = saved.into_iter().peekable();
        while saved.peek().is_some() {
            let mut state = self.state.write();
            for written in saved.by_ref().take(PIECE) {
                if let Some(slot) = state.find(self.hash(&written.id), &written.id) {
                    mark_one_saved(&mut state, slot, written);
                }
            }
        }
    }

    /// Marks the fix or removal of each known entity as unsaved, unless the store has confirmed it since [`Self::begin_reload`].
    pub fn mark_unsaved(&self, ids: &[Id]) {
        for piece in ids.chunks(PIECE) {
            let mut state = self.state.write();
            for id in piece {
                let Some(slot) = state.find(self.hash(id), id) else {
                    continue;
                };
                if state.records[slot].generation != state.generation {
                    state.records[slot].unsaved = true;
                    state.update_unsaved_set(slot);
                }
            }
        }
    }

    /// Begins a reload: from here on the index records which entities the store confirms.
    pub fn begin_reload(&self) {
        let mut state = self.state.write();
        // 0 means "never".
        state.generation = state.generation.checked_add(1).unwrap_or(1);
    }

    /// Returns entities that the store has not confirmed since [`Self::begin_reload`]: the store may have lost them, or a message about
    /// their removal or the change of their profile was missed. Expired entities are left out.
    ///
    /// Examines up to `budget` records from `cursor` on, 0 at first; returns the next cursor, or `None` at the end.
    #[must_use]
    pub fn missing_after_reload(&self, cursor: u32, budget: usize, now_ms: i64) -> (Vec<Missing>, Option<u32>) {
        let mut missing = Vec::new();
        let stop = cursor.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX));
        let mut at = cursor;
        while at < stop {
            let state = self.state.read();
            let end = state.records.end();
            for slot in at..stop.min(end).min(at.saturating_add(RECORDS_PER_HOLD)) {
                let Some(record) = state.records.get(slot) else {
                    continue;
                };
                let found = Missing {
                    id: record.id.clone(),
                    // An unsaved position is about to be written, and the answer to that shows what the store has.
                    position: record.generation != state.generation && !record.unsaved,
                    profile: record.profile_generation != state.generation,
                };
                if (found.position || found.profile) && !self.is_expired(record.timestamp_ms, now_ms) {
                    missing.push(found);
                }
            }
            at = at.saturating_add(RECORDS_PER_HOLD).min(stop);
            if at >= end {
                return (missing, None);
            }
        }
        (missing, Some(at))
    }
}
