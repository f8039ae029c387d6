//! What the lock guards, and the changes to a single entity. Each takes time independent of how many entities there are.

use super::grid::At;
use super::id_map::IdMap;
use super::record::{NEVER_READ, Record};
use super::slab::Slab;
use super::slot_set::SlotSet;
use super::tree::{Entry, NOWHERE, Tree};
use super::{Origin, Outcome, Update};
use crate::ids::Id;
use crate::tracking::profile::MAX_AHEAD_MS;
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) struct State {
    pub(super) records: Slab<Record>,
    pub(super) ids: IdMap,
    pub(super) tree: Tree,
    /// The slots whose record has anything unsaved.
    pub(super) unsaved: SlotSet,
    /// Counts reloads.
    pub(super) generation: u16,
    /// What the records hold besides themselves, bytes.
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

    /// Takes an update to a known entity.
    pub(super) fn update(&mut self, slot: u32, origin: Origin, update: &Update, at: At, now_ms: i64) -> Outcome {
        let record = &mut self.records[slot];
        distrust(record, update.fix.timestamp_ms, now_ms);
        let was_unsaved = record.unsaved;
        let is_first = record.profile_generation == NEVER_READ;
        let superseding = superseding(record, origin, update.fix.timestamp_ms, update.seq, self.generation);
        note(record, origin, update.fix.timestamp_ms, self.generation);
        if let Some(seq) = superseding {
            record.set_fix(&update.fix, seq);
            let leaf = record.leaf;
            let entry = Entry {
                at,
                slot,
                timestamp_ms: update.fix.timestamp_ms,
            };
            let records = &mut self.records;
            let mut settle = |slot: u32, leaf| records[slot].leaf = leaf;
            if leaf == NOWHERE {
                self.tree.insert(entry, &mut settle);
            } else {
                self.tree.shift(leaf, entry, &mut settle);
            }
        }
        if self.records[slot].unsaved != was_unsaved {
            self.note_unsaved(slot);
        }
        match superseding {
            Some(_) if is_first => Outcome::Created,
            Some(_) => Outcome::Applied,
            None => Outcome::Stale,
        }
    }

    /// Takes the first update of an entity.
    pub(super) fn add(&mut self, hash: u64, origin: Origin, update: &Update, at: At) {
        let seq = if origin == Origin::Local { 0 } else { update.seq };
        let record = Record::new(update.id.clone(), &update.fix, seq);
        let slot = self.add_record(hash, record, origin);
        let entry = Entry {
            at,
            slot,
            timestamp_ms: update.fix.timestamp_ms,
        };
        let records = &mut self.records;
        self.tree.insert(entry, &mut |slot, leaf| records[slot].leaf = leaf);
    }

    pub(super) fn add_tombstone(&mut self, hash: u64, origin: Origin, id: &Id, removed_at_ms: i64, seq: u64) {
        let seq = if origin == Origin::Local { 0 } else { seq };
        self.add_record(hash, Record::tombstone(id.clone(), removed_at_ms, seq), origin);
    }

    /// Makes a known entity a tombstone, unless its fix is newer; whether it was live until then.
    pub(super) fn bury(&mut self, slot: u32, origin: Origin, removed_at_ms: i64, seq: u64) -> bool {
        let record = &mut self.records[slot];
        // A removal counts from Redis's now, or from earlier.
        distrust(record, removed_at_ms, removed_at_ms);
        let superseding = superseding(record, origin, removed_at_ms, seq, self.generation);
        note(record, origin, removed_at_ms, self.generation);
        let leaf = record.leaf;
        if let Some(seq) = superseding {
            record.timestamp_ms = removed_at_ms;
            record.seq = seq;
            record.leaf = NOWHERE;
        }
        self.note_unsaved(slot);
        if superseding.is_none() || leaf == NOWHERE {
            return false;
        }
        self.unplant(leaf, slot);
        true
    }

    /// Forgets an entity or a tombstone altogether.
    pub(super) fn forget(&mut self, hash: u64, slot: u32) -> Record {
        self.ids.remove(hash, slot);
        self.unsaved.set(slot, false);
        let record = self.records.remove(slot);
        self.heap_bytes -= record.heap_bytes();
        if record.is_live() {
            self.unplant(record.leaf, slot);
        }
        record
    }

    /// Brings the set of unsaved slots up to the record's marks.
    pub(super) fn note_unsaved(&mut self, slot: u32) {
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
        self.note_unsaved(slot);
        slot
    }

    fn unplant(&mut self, leaf: u32, slot: u32) {
        let records = &mut self.records;
        self.tree
            .remove(leaf, slot, &mut |slot, leaf| records[slot].leaf = leaf);
    }
}

/// Lets a time that is from before a clock was set back give way to any other. Senders' clocks may be a minute ahead, and those of Redis
/// and of the instances differ; `record.lua` has the same bound.
fn distrust(record: &mut Record, timestamp_ms: i64, now_ms: i64) {
    let latest_ms = now_ms.saturating_add(2 * MAX_AHEAD_MS);
    if record.timestamp_ms > latest_ms && timestamp_ms <= latest_ms {
        record.timestamp_ms = i64::MIN;
    }
}

/// The batch number that the record has once it takes a fix or a removal of this timestamp; `None` if it stays as it is.
///
/// What is loaded has no number. Equally new, it counts unless something was heard since the reload began: then whatever
/// else happened to the entity is still to be heard, and decides. And unless ours is unsaved, which is to be written.
fn superseding(record: &Record, origin: Origin, timestamp_ms: i64, seq: u64, generation: u16) -> Option<u64> {
    let seq = if origin == Origin::Local { record.seq } else { seq };
    match timestamp_ms.cmp(&record.timestamp_ms) {
        Ordering::Less => None,
        Ordering::Greater => Some(seq),
        Ordering::Equal if origin == Origin::Loaded => {
            (record.generation != generation && !record.unsaved).then_some(record.seq)
        }
        Ordering::Equal => (seq >= record.seq).then_some(seq),
    }
}

/// What an update from `origin` with this timestamp says about whether Redis has the record as we have it.
fn note(record: &mut Record, origin: Origin, timestamp_ms: i64, generation: u16) {
    let heard = record.generation == generation;
    if origin != Origin::Local {
        record.generation = generation;
    }
    match origin {
        Origin::Local => record.unsaved |= timestamp_ms >= record.timestamp_ms,
        Origin::Stored if timestamp_ms >= record.timestamp_ms => record.unsaved = false,
        Origin::Loaded if timestamp_ms > record.timestamp_ms => record.unsaved = false,
        // Redis holds an older value than this index, so Redis has lost the newer one. This does not apply if an update arrived since
        // the reload began: the load may have read the value before that.
        Origin::Loaded if timestamp_ms < record.timestamp_ms && !heard => record.unsaved = true,
        Origin::Stored | Origin::Loaded => {}
    }
}
