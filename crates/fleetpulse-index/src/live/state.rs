//! The state that the lock guards, and the changes to a single entity. Each takes time independent of the number of entities.

use super::grid::GridPoint;
use super::id_map::IdMap;
use super::record::{NEVER_READ, Record};
use super::slab::Slab;
use super::slot_set::SlotSet;
use super::tree::{Entry, NOWHERE, Tree};
use super::{Origin, Outcome, Update};
use crate::Id;
use crate::model::Removed;
use crate::profile::MAX_AHEAD_MS;
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) struct State {
    pub(super) records: Slab<Record>,
    pub(super) ids: IdMap,
    pub(super) tree: Tree,
    /// The slots whose records have anything unsaved.
    pub(super) unsaved: SlotSet,
    /// The number of the current reload.
    pub(super) generation: u16,
    /// The memory that records hold besides themselves, bytes.
    pub(super) heap_bytes: usize,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            records: Slab::new(),
            ids: IdMap::new(),
            tree: Tree::new(),
            unsaved: SlotSet::default(),
            generation: 1,
            heap_bytes: 0,
        }
    }

    pub(super) fn find(&self, hash: u64, id: &str) -> Option<u32> {
        self.ids.find(hash, |slot| self.records[slot].id.as_str() == id)
    }

    /// Applies an update to a known entity.
    pub(super) fn update(&mut self, slot: u32, origin: Origin, update: &Update, at: GridPoint, now_ms: i64) -> Outcome {
        let record = &mut self.records[slot];
        discard_implausible_time(record, update.fix.timestamp_ms, now_ms);
        let was_unsaved = record.unsaved;
        let is_first = record.profile_generation == NEVER_READ;
        let order = compare(record, update.fix.timestamp_ms, update.fix.received_us);
        update_marks(record, origin, order, self.generation);
        if order.is_ge() {
            record.set_fix(&update.fix);
            let leaf = record.leaf;
            let entry = Entry {
                at,
                slot,
                timestamp_ms: update.fix.timestamp_ms,
            };
            let records = &mut self.records;
            let mut on_move = |slot: u32, leaf| records[slot].leaf = leaf;
            if leaf == NOWHERE {
                self.tree.insert(entry, &mut on_move);
            } else {
                self.tree.relocate(leaf, entry, &mut on_move);
            }
        }
        if self.records[slot].unsaved != was_unsaved {
            self.update_unsaved_set(slot);
        }
        match order {
            Ordering::Less => Outcome::Stale,
            _ if is_first => Outcome::Created,
            _ => Outcome::Applied,
        }
    }

    /// Applies the first update of an entity.
    pub(super) fn add(&mut self, hash: u64, origin: Origin, update: &Update, at: GridPoint) {
        let record = Record::new(update.id.clone(), &update.fix);
        let slot = self.add_record(hash, record, origin);
        let entry = Entry {
            at,
            slot,
            timestamp_ms: update.fix.timestamp_ms,
        };
        let records = &mut self.records;
        self.tree.insert(entry, &mut |slot, leaf| records[slot].leaf = leaf);
    }

    pub(super) fn add_tombstone(&mut self, hash: u64, origin: Origin, id: &Id, removed: Removed) {
        self.add_record(hash, Record::tombstone(id.clone(), removed), origin);
    }

    /// Turns a known entity into a tombstone, unless its fix is newer. Returns whether it was live before.
    pub(super) fn make_tombstone(&mut self, slot: u32, origin: Origin, removed: Removed) -> bool {
        let record = &mut self.records[slot];
        // A removal is never ahead of the clock, so its time is the bound.
        discard_implausible_time(record, removed.at_ms, removed.at_ms);
        let order = compare(record, removed.at_ms, removed.received_us);
        update_marks(record, origin, order, self.generation);
        let leaf = record.leaf;
        if order.is_ge() {
            record.timestamp_ms = removed.at_ms;
            record.received_us = removed.received_us;
            record.leaf = NOWHERE;
        }
        self.update_unsaved_set(slot);
        if order.is_lt() || leaf == NOWHERE {
            return false;
        }
        self.remove_from_tree(leaf, slot);
        true
    }

    /// Deletes an entity or a tombstone.
    pub(super) fn delete(&mut self, hash: u64, slot: u32) -> Record {
        self.ids.remove(hash, slot);
        self.unsaved.set(slot, false);
        let record = self.records.remove(slot);
        self.heap_bytes -= record.heap_bytes();
        if record.is_live() {
            self.remove_from_tree(record.leaf, slot);
        }
        record
    }

    /// Updates the set of unsaved slots from the record's marks.
    pub(super) fn update_unsaved_set(&mut self, slot: u32) {
        self.unsaved.set(slot, self.records[slot].has_unsaved());
    }

    fn add_record(&mut self, hash: u64, mut record: Record, origin: Origin) -> u32 {
        record.unsaved = origin == Origin::Local;
        if origin != Origin::Local {
            record.generation = self.generation;
        }
        self.heap_bytes += record.heap_bytes();
        let slot = self.records.insert(record);
        self.ids.insert(hash, slot);
        self.update_unsaved_set(slot);
        slot
    }

    fn remove_from_tree(&mut self, leaf: u32, slot: u32) {
        let records = &mut self.records;
        self.tree
            .remove(leaf, slot, &mut |slot, leaf| records[slot].leaf = leaf);
    }
}

/// Discards a record's time that is from before a clock was set back, so that any other replaces it. Senders' clocks may be a minute
/// ahead, and so may the clock by which the sender was checked.
fn discard_implausible_time(record: &mut Record, timestamp_ms: i64, now_ms: i64) {
    let latest_ms = now_ms.saturating_add(2 * MAX_AHEAD_MS);
    if record.timestamp_ms > latest_ms && timestamp_ms <= latest_ms {
        record.timestamp_ms = i64::MIN;
    }
}

/// Compares a fix or removal with the record's. A store should compare in the same way.
fn compare(record: &Record, timestamp_ms: i64, received_us: i64) -> Ordering {
    (timestamp_ms, received_us).cmp(&(record.timestamp_ms, record.received_us))
}

/// Updates the record's marks after an update from `origin` with this order: whether the store has the record as it is here.
fn update_marks(record: &mut Record, origin: Origin, order: Ordering, generation: u16) {
    let has_it = order.is_ge();
    match origin {
        Origin::Local => record.unsaved |= has_it,
        Origin::Stored | Origin::Loaded if has_it => {
            record.unsaved = false;
            record.generation = generation;
        }
        // Stored before the record's, or after the store has lost the record's. A load shows which.
        Origin::Stored => {}
        // The store holds an older value than this index, so the store has lost the newer one. This does not apply if the newer one was
        // received since the reload began: the load may have read the value before that.
        Origin::Loaded => {
            record.unsaved |= record.generation != generation;
            record.generation = generation;
        }
    }
}
