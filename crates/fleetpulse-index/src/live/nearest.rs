//! The nearest entries that a search has found.

use super::examined;
use super::grid::{GridPoint, chord_squared, with_slack};
use super::record::Record;
use super::slab::Slab;
use super::tree::Entry;
use super::visible::Visible;
use std::collections::BinaryHeap;

/// The nearest entries so far, and all whose distance the grid cannot distinguish from that of the last of them.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    pub(super) limit: usize,
    /// The squared chord beyond which no entry can be in the answer.
    pub(super) bound: u64,
    /// The squared chords of the nearest `limit` entries.
    best: BinaryHeap<u64>,
    pub(super) found: Vec<Found>,
    /// At this length of `found`, entries beyond the bound are removed from it.
    prune_at: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) chord_squared: u64,
    pub(super) slot: u32,
}

impl Nearest {
    pub(super) fn begin(&mut self, limit: usize, reach: u64) {
        /// Memory beyond this, left by an unusually large answer, is freed.
        const KEEP: usize = 1 << 16;
        self.best.clear();
        self.found.clear();
        self.found.shrink_to(KEEP);
        self.best.shrink_to(KEEP);
        self.limit = limit;
        self.bound = reach;
        self.prune_at = limit.saturating_mul(4).max(64);
    }

    /// Returns how many of the entities found can be in the answer.
    pub(super) fn candidates(&self) -> usize {
        let near = self.found.iter().filter(|found| found.chord_squared <= self.bound);
        near.count()
    }

    pub(super) fn scan(&mut self, entries: &[Entry], from: GridPoint, visible: &Visible<'_>, records: &Slab<Record>) {
        examined::add(entries.len());
        for entry in entries {
            let chord_squared = chord_squared(from, entry.at);
            if chord_squared <= self.bound
                && visible.is_recent(entry.timestamp_ms)
                && visible.accepts(|| &records[entry.slot])
            {
                let slot = entry.slot;
                self.add(Found { chord_squared, slot });
            }
        }
    }

    fn add(&mut self, found: Found) {
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
        if self.found.len() >= self.prune_at {
            let bound = self.bound;
            self.found.retain(|found| found.chord_squared <= bound);
            // Twice the rest, so that a crowd at one distance is not examined over and over.
            self.prune_at = (2 * self.found.len()).max(self.prune_at);
        }
    }

    fn tighten(&mut self) {
        if let Some(last) = self.best.peek() {
            self.bound = self.bound.min(with_slack(*last));
        }
    }
}
