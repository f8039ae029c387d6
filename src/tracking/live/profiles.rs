use super::LiveIndex;
use super::record::HeldProfile;
use super::state::State;
use crate::ids::Id;
use crate::tracking::model::Profile;
use crate::tracking::patch::ProfilePatch;
use std::sync::Arc;

impl LiveIndex {
    /// Takes a profile, or its deletion (`None`), that Redis has; whether it was taken.
    ///
    /// Ignored if the entity is unknown or a newer one is held. A patch that waits to be written stays, on top of it. Profiles
    /// outlive fixes and removals, until the entity is swept.
    pub fn set_profile(&self, id: &Id, profile: Option<Arc<Profile>>, seq: u64) -> bool {
        self.change_profile(id, |held| {
            let newer = seq >= held.seq;
            if newer {
                held.take(profile, seq);
            }
            newer
        })
    }

    /// Changes a profile while Redis is away; the patch waits to be written. False if the entity is unknown, or would have
    /// too many attributes.
    pub fn patch_profile(&self, id: &Id, patch: &ProfilePatch) -> bool {
        self.change_profile(id, |held| held.patch(patch))
    }

    /// Lets go of each patch that is still the very one given, and notes the `seq` that it was written with.
    pub fn mark_profiles_saved(&self, saved: &[(Id, Arc<ProfilePatch>, u64)]) {
        for (id, patch, seq) in saved {
            self.change_profile(id, |held| {
                let same = held.unsaved.as_ref().is_some_and(|held| Arc::ptr_eq(held, patch));
                if same {
                    held.unsaved = None;
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

impl HeldProfile {
    fn take(&mut self, profile: Option<Arc<Profile>>, seq: u64) {
        self.profile = profile;
        self.seq = seq;
        if let Some(patch) = &self.unsaved {
            match patch.applied_to(self.profile.as_deref()) {
                Some(patched) => self.profile = Some(Arc::new(patched)),
                // Redis will refuse it, too.
                None => self.unsaved = None,
            }
        }
    }

    fn patch(&mut self, patch: &ProfilePatch) -> bool {
        let Some(patched) = patch.applied_to(self.profile.as_deref()) else {
            return false;
        };
        self.profile = Some(Arc::new(patched));
        let unsaved = self
            .unsaved
            .as_ref()
            .map_or_else(|| patch.clone(), |earlier| earlier.then(patch));
        self.unsaved = Some(Arc::new(unsaved));
        true
    }
}
