//! Recovery of an index in which a panic has interrupted a change.
//!
//! The lock has replaced the damaged state with an empty one. The caller loads what the store has; what the store does not have
//! yet is restored from the damaged state here, as far as it can be read.

use super::unsaved::Unsaved;
use super::{LiveIndex, Origin, Update};
use crate::model::Removed;

impl LiveIndex {
    /// Returns whether a panic interrupted a change and what was held before is not loaded again yet.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.state.damage.is_incomplete()
    }

    /// Records that what the store has is loaded.
    pub fn set_complete(&self) {
        self.state.damage.set_complete();
    }

    /// Resolves when a panic has interrupted a change: the index is empty from then on, until it is loaded again.
    ///
    /// Runs on any executor. One task may wait at a time: a later call replaces an earlier one, which then never resolves.
    pub async fn damaged(&self) {
        self.state.damage.reported().await;
    }

    /// Restores what was unsaved in the damaged state. Returns the number of entities.
    ///
    /// # Panics
    /// May panic, because the state is damaged. A second call does nothing then.
    pub fn restore_unsaved(&self, now_ms: i64) -> usize {
        let (damaged, _restoring) = self.state.damage.begin_restoring();
        let Some(damaged) = damaged else { return 0 };
        let (mut at, mut restored) = (0, 0);
        while let Some(slot) = damaged.unsaved.next(at) {
            at = slot + 1;
            if let Some(record) = damaged.records.get(slot) {
                self.restore(Unsaved::of(record), now_ms);
                restored += 1;
            }
        }
        restored
    }

    fn restore(&self, unsaved: Unsaved, now_ms: i64) {
        let Unsaved {
            id,
            fix,
            timestamp_ms,
            received_us,
            position_unsaved,
            change,
        } = unsaved;
        match fix {
            Some(fix) if position_unsaved || change.is_some() => {
                let update = Update { id: id.clone(), fix };
                self.apply(Origin::Local, &[update], now_ms);
            }
            None if position_unsaved => {
                let removed = Removed {
                    at_ms: timestamp_ms,
                    received_us,
                };
                self.remove(Origin::Local, &id, removed);
            }
            _ => {}
        }
        if let Some(change) = change {
            self.change_profile(&id, &change);
        }
    }
}
