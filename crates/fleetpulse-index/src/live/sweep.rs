use super::{LiveIndex, PIECE};
use crate::Id;
use std::sync::atomic::Ordering::Relaxed;

/// Records examined in one hold of the lock.
const RECORDS_PER_HOLD: u32 = 256;

/// An entity whose fix has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The entity.
    pub id: Id,
    /// Whether it has a profile.
    pub has_profile: bool,
}

impl LiveIndex {
    /// Removes records that are past their time to live, including tombstones and unsaved fixes; returns the entities whose fixes have
    /// expired. An unsaved profile has no time to live: its entity is kept, invisible, until the profile is written.
    ///
    /// Examines up to `budget` records, from where the last sweep stopped, and each at most once.
    pub fn sweep(&self, now_ms: i64, budget: usize) -> Vec<Swept> {
        let mut swept = Vec::new();
        let mut left = u32::try_from(budget)
            .unwrap_or(u32::MAX)
            .min(self.state.read().records.end());
        let mut expired = Vec::with_capacity(PIECE);
        while left > 0 {
            let examined = self.find_expired(now_ms, left.min(RECORDS_PER_HOLD), &mut expired);
            if examined == 0 {
                break;
            }
            left -= examined.min(left);
            if expired.is_empty() {
                continue;
            }
            let mut state = self.state.write();
            for slot in expired.drain(..) {
                // It may have changed since it was examined.
                let Some(record) = state.records.get(slot) else {
                    continue;
                };
                if self.is_expired(record.timestamp_ms, now_ms) && !record.has_unsaved_profile() {
                    let hash = self.hash(&record.id);
                    let record = state.delete(hash, slot);
                    if record.is_live() {
                        let has_profile = record.profile.is_some();
                        swept.push(Swept {
                            id: record.id,
                            has_profile,
                        });
                    }
                }
            }
        }
        swept
    }

    /// Collects up to [`PIECE`] expired slots. Returns how many slots it has examined.
    fn find_expired(&self, now_ms: i64, most: u32, expired: &mut Vec<u32>) -> u32 {
        let state = self.state.read();
        let end = state.records.end();
        let start = self.sweep_at.load(Relaxed);
        let start = if start < end { start } else { 0 };
        let mut at = start;
        while at < end && at - start < most && expired.len() < PIECE {
            if let Some(record) = state.records.get(at)
                && self.is_expired(record.timestamp_ms, now_ms)
            {
                expired.push(at);
            }
            at += 1;
        }
        self.sweep_at.store(at, Relaxed);
        at - start
    }
}
