use super::LiveIndex;
use super::record::HeldProfile;
use super::state::State;
use crate::ids::Id;
use crate::tracking::model::Profile;
use std::sync::Arc;

impl LiveIndex {
    /// Takes a profile, or its deletion (`None`), that Redis has; whether it was taken.
    ///
    /// Ignored if the entity is unknown or a newer one is held. One that waits to be written to Redis gives way only to a
    /// strictly newer one. Profiles outlive fixes and removals, until the entity is swept.
    pub fn set_profile(&self, id: &Id, profile: Option<Arc<Profile>>, seq: u64) -> bool {
        self.change_profile(id, |held| {
            let newer = if held.unsaved { seq > held.seq } else { seq >= held.seq };
            if newer {
                *held = HeldProfile {
                    profile,
                    seq,
                    unsaved: false,
                };
            }
            newer
        })
    }

    /// Takes a profile, or its deletion, while Redis is away; it waits to be written. False if the entity is unknown.
    pub fn set_profile_local(&self, id: &Id, profile: Option<Arc<Profile>>) -> bool {
        self.change_profile(id, |held| {
            held.profile = profile;
            held.unsaved = true;
            true
        })
    }

    /// Clears the unsaved mark of each profile that is still the very one given, and notes its `seq`.
    pub fn mark_profiles_saved(&self, saved: &[(Id, Option<Arc<Profile>>, u64)]) {
        for (id, profile, seq) in saved {
            self.change_profile(id, |held| {
                let same = match (&held.profile, profile) {
                    (Some(held), Some(saved)) => Arc::ptr_eq(held, saved),
                    (None, None) => true,
                    _ => false,
                };
                if same {
                    held.unsaved = false;
                    held.seq = held.seq.max(*seq);
                }
                same
            });
        }
    }

    fn change_profile(&self, id: &Id, change: impl FnOnce(&mut HeldProfile) -> bool) -> bool {
        let hash = self.hash(id);
        let mut guard = self.state.write();
        let Some(slot) = guard.find(hash, id) else { return false };
        let State {
            records, heap_bytes, ..
        } = &mut *guard;
        let record = &mut records[slot];
        *heap_bytes -= record.heap_bytes();
        let changed = change(record.profile.get_or_insert_default());
        *heap_bytes += record.heap_bytes();
        guard.note_unsaved(slot);
        changed
    }
}
