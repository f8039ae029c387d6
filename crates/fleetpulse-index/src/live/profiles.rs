use super::record::{HeldProfile, NEVER_READ, Record};
use super::state::State;
use super::{LiveIndex, PIECE};
use crate::Id;
use crate::profile::VersionedProfile;
use crate::profile::{MAX_AHEAD_MS, Profile};
use std::sync::Arc;

/// Records examined in one hold of the lock.
const RECORDS_PER_HOLD: u32 = 256;

impl LiveIndex {
    /// Stores profiles as read from the store; `readings` are those of `ids`, in the same order. Profiles of unknown entities are ignored.
    ///
    /// Of the readings since a reload began, the one with the highest version counts. The first of them replaces the previous one
    /// whatever its version, because the store may have been replaced. Members of the previous reading that are newer by their times were
    /// lost by the store, and become unsaved.
    pub fn set_profiles(&self, ids: &[Id], readings: Vec<VersionedProfile>, now_ms: i64) {
        let mut readings = readings.into_iter();
        for ids in ids.chunks(PIECE) {
            let mut state = self.state.write();
            for (id, reading) in ids.iter().zip(readings.by_ref()) {
                self.set_one(&mut state, id, reading, now_ms);
            }
        }
    }

    fn set_one(&self, state: &mut State, id: &Id, reading: VersionedProfile, now_ms: i64) {
        let generation = state.generation;
        self.change_record(state, id, |record| {
            let is_first = record.profile_generation != generation;
            record.profile_generation = generation;
            let is_nothing = reading == VersionedProfile::default();
            let held = match &mut record.profile {
                // Most entities have no profile and need no memory for that fact.
                None if is_nothing => return,
                held => held.get_or_insert_default(),
            };
            if is_first {
                held.recover_lost_members(&reading.profile, now_ms);
            } else if reading.version < held.version {
                return;
            }
            held.version = reading.version;
            held.saved = (!is_nothing).then(|| Arc::new(reading.profile));
            held.update_shown();
            if held.saved.is_none() && held.unsaved.is_none() {
                record.profile = None;
            }
        });
    }

    /// Changes a profile while the store is unavailable; the change is written later. Returns false if attributes were left out because
    /// there would be too many. An unknown entity is ignored.
    pub fn change_profile(&self, id: &Id, change: &Profile) -> bool {
        let mut fits = true;
        self.change_record(&mut self.state.write(), id, |record| {
            let held = record.profile.get_or_insert_default();
            let mut shown = held.shown.as_deref().cloned().unwrap_or_default();
            fits = shown.join(change);
            let mut unsaved = held.unsaved.as_deref().cloned().unwrap_or_default();
            if fits {
                unsaved.join(change);
            } else {
                let mut taken = change.clone();
                taken.attributes.retain(|name, _| shown.attributes.contains_key(name));
                let names = &taken.attributes;
                taken.times.attributes_ms.retain(|name, _| names.contains_key(name));
                unsaved.join(&taken);
            }
            held.unsaved = Some(Arc::new(unsaved));
            held.update_shown();
        });
        fits
    }

    /// Discards each unsaved change that is still identical to the given one: the store has it.
    pub fn mark_profiles_saved(&self, saved: &[(Id, Arc<Profile>)]) {
        for piece in saved.chunks(PIECE) {
            let mut state = self.state.write();
            for (id, change) in piece {
                self.change_record(&mut state, id, |record| {
                    let Some(held) = &mut record.profile else { return };
                    if held
                        .unsaved
                        .as_ref()
                        .is_some_and(|unsaved| Arc::ptr_eq(unsaved, change))
                    {
                        held.unsaved = None;
                        held.update_shown();
                        if held.saved.is_none() {
                            record.profile = None;
                        }
                    }
                });
            }
        }
    }

    /// Returns those of the given entities whose profiles were never read from the store.
    #[must_use]
    pub fn never_read(&self, ids: impl Iterator<Item = Id>) -> Vec<Id> {
        let state = self.state.read();
        ids.filter(|id| {
            state
                .find(self.hash(id), id)
                .is_some_and(|slot| state.records[slot].profile_generation == NEVER_READ)
        })
        .collect()
    }

    /// Returns entities with a position and a profile. Examines up to `budget` records from `cursor` on, 0 at first; also returns the
    /// next cursor, or `None` at the end.
    #[must_use]
    pub fn with_profile(&self, cursor: u32, budget: u32) -> (Vec<Id>, Option<u32>) {
        let mut found = Vec::new();
        let stop = cursor.saturating_add(budget);
        let mut at = cursor;
        while at < stop {
            let state = self.state.read();
            let end = state.records.end();
            let to = stop.min(end).min(at.saturating_add(RECORDS_PER_HOLD));
            let records = (at..to).filter_map(|slot| state.records.get(slot));
            found.extend(
                records
                    .filter(|record| record.is_live() && record.profile.is_some())
                    .map(|record| record.id.clone()),
            );
            at = to;
            if at >= end {
                return (found, None);
            }
        }
        (found, Some(at))
    }

    fn change_record(&self, state: &mut State, id: &Id, change: impl FnOnce(&mut Record)) {
        let Some(slot) = state.find(self.hash(id), id) else {
            return;
        };
        let State {
            records, heap_bytes, ..
        } = state;
        let record = &mut records[slot];
        *heap_bytes -= record.heap_bytes();
        change(record);
        *heap_bytes += record.heap_bytes();
        state.update_unsaved_set(slot);
    }
}

impl HeldProfile {
    /// Marks as unsaved what was read from the store before and is newer than what the store has now.
    fn recover_lost_members(&mut self, reading: &Profile, now_ms: i64) {
        let Some(saved) = &self.saved else { return };
        let Some(mut lost) = saved.newer_than(reading, now_ms + MAX_AHEAD_MS) else {
            return;
        };
        if let Some(unsaved) = &self.unsaved {
            lost.join(unsaved);
        }
        self.unsaved = Some(Arc::new(lost));
    }
}
