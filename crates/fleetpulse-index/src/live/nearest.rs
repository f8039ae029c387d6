//! The best of what a search has seen.

use super::grid::{At, chord_squared, with_slack};
use super::looks;
use super::record::Record;
use super::slab::Slab;
use super::tree::Entry;
use super::visible::Visible;
use std::collections::BinaryHeap;

/// The nearest entries seen so far, and with them all that are too close to the last of them for the grid to tell.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    pub(super) limit: usize,
    /// No entry further than this can be in the answer.
    pub(super) bound: u64,
    /// The squared chords of the nearest `limit` entries.
    best: BinaryHeap<u64>,
    pub(super) found: Vec<Found>,
    /// At this length, what has fallen out of bound is thrown out of `found`.
    tidy_at: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) chord_squared: u64,
    pub(super) slot: u32,
}

impl Nearest {
    pub(super) fn begin(&mut self, limit: usize, reach: u64) {
        /// What an unusually large answer leaves behind is given back.
        const KEEP: usize = 1 << 16;
        self.best.clear();
        self.found.clear();
        self.found.shrink_to(KEEP);
        self.best.shrink_to(KEEP);
        self.limit = limit;
        self.bound = reach;
        self.tidy_at = limit.saturating_mul(4).max(64);
    }

    /// Returns how many of the entities found can be in the answer.
    pub(super) fn candidates(&self) -> usize {
        let near = self.found.iter().filter(|found| found.chord_squared <= self.bound);
        near.count()
    }

    pub(super) fn scan(&mut self, entries: &[Entry], from: At, visible: &Visible<'_>, records: &Slab<Record>) {
        looks::note(entries.len());
        for entry in entries {
            let chord_squared = chord_squared(from, entry.at);
            if chord_squared <= self.bound
                && visible.young(entry.timestamp_ms)
                && visible.wants(|| &records[entry.slot])
            {
                let slot = entry.slot;
                self.take(Found { chord_squared, slot });
            }
        }
    }

    fn take(&mut self, found: Found) {
        self.found.push(found);
        if self.best.len() < self.limit {
            self.best.push(found.chord_squared);
            if self.best.len() == self.limit {
                self.tighten();
            }
        } else if self.best.peek().is_some_and(|last| found.chord_squared < *last) {
            if let Some(mut last) = self.best.peek_mut() {
                *last = found.chord_squared;
            }
            self.tighten();
        }
        if self.found.len() >= self.tidy_at {
            let bound = self.bound;
            self.found.retain(|found| found.chord_squared <= bound);
            // Twice what is left, lest a crowd at one distance be gone through again and again.
            self.tidy_at = (2 * self.found.len()).max(self.tidy_at);
        }
    }

    fn tighten(&mut self) {
        if let Some(last) = self.best.peek() {
            self.bound = self.bound.min(with_slack(*last));
        }
    }
}
