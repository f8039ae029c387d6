//! What Redis does not have yet: taken while it was away, or lost by it.

use super::record::Record;
use super::{LiveIndex, PIECE};
use crate::ids::Id;
use crate::tracking::model::Fix;
use crate::tracking::patch::ProfilePatch;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Records looked at in one holding of the lock.
const LOOK: u32 = 256;

/// An entity that is to be written to Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsaved {
    /// Which.
    pub id: Id,
    /// Its newest fix; `None` if it was removed. Given even if only a patch is unsaved.
    pub fix: Option<Fix>,
    /// When the fix was taken, or the entity removed.
    pub timestamp_ms: i64,
    /// Whether the fix, or the removal, is unsaved.
    pub position_unsaved: bool,
    /// What of the profile is unsaved.
    pub patch: Option<Arc<ProfilePatch>>,
}

impl Unsaved {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            id: record.id.clone(),
            fix: record.is_live().then(|| record.fix()),
            timestamp_ms: record.timestamp_ms,
            position_unsaved: record.unsaved,
            patch: record.profile.as_ref().and_then(|held| held.unsaved.clone()),
        }
    }
}

impl LiveIndex {
    /// How many entities have anything unsaved.
    #[must_use]
    pub fn unsaved_len(&self) -> usize {
        self.state.read().unsaved.len()
    }

    /// Up to `max` entities with anything unsaved. A look, not a take: they stay unsaved until marked otherwise.
    ///
    /// Each look goes on where the last one stopped and begins again at the end, so that an entity that cannot be written
    /// does not keep the others waiting.
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

    /// Clears the unsaved mark of each fix or removal that still has the timestamp given, and notes the `seq` that Redis
    /// gave it.
    pub fn mark_saved(&self, saved: &[(Id, i64, u64)]) {
        for piece in saved.chunks(PIECE) {
            let mut state = self.state.write();
            for (id, timestamp_ms, seq) in piece {
                let Some(slot) = state.find(self.hash(id), id) else {
                    continue;
                };
                let record = &mut state.records[slot];
                if record.timestamp_ms == *timestamp_ms {
                    record.unsaved = false;
                    record.seq = record.seq.max(*seq);
                    state.note_unsaved(slot);
                }
            }
        }
    }

    /// Marks the fix or removal of each known entity unsaved.
    pub fn mark_unsaved(&self, ids: &[Id]) {
        for piece in ids.chunks(PIECE) {
            let mut state = self.state.write();
            for id in piece {
                let Some(slot) = state.find(self.hash(id), id) else {
                    continue;
                };
                state.records[slot].unsaved = true;
                state.note_unsaved(slot);
            }
        }
    }

    /// Begins a reload: from here on it is noted which entities Redis has a word on.
    pub fn begin_reload(&self) {
        let mut state = self.state.write();
        state.generation = state.generation.wrapping_add(1);
    }

    /// Entities on which Redis had no word since [`Self::begin_reload`], with their fixes' timestamps: Redis may have lost
    /// them, or they were removed unheard. What is unsaved already and tombstones are left out.
    ///
    /// Looks at up to `budget` records from `cursor` on, 0 at first; returns the next cursor, or `None` at the end.
    #[must_use]
    pub fn missing_after_reload(&self, cursor: u32, budget: usize) -> (Vec<(Id, i64)>, Option<u32>) {
        let mut missing = Vec::new();
        let stop = cursor.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX));
        let mut at = cursor;
        while at < stop {
            let state = self.state.read();
            let end = state.records.end();
            for slot in at..stop.min(end).min(at.saturating_add(LOOK)) {
                if let Some(record) = state.records.get(slot)
                    && record.generation != state.generation
                    && record.is_live()
                    && !record.unsaved
                {
                    missing.push((record.id.clone(), record.timestamp_ms));
                }
            }
            at = at.saturating_add(LOOK).min(stop);
            if at >= end {
                return (missing, None);
            }
        }
        (missing, Some(at))
    }
}
