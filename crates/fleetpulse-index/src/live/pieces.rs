//! A search in pieces: it releases the lock regularly, and finds every entity that stays in the searched area all the time.

use super::examined;
use super::grid::Cell;
use super::record::Record;
use super::slab::Slab;
use super::state::State;
use super::tree::Entry;
use super::walk::{Progress, Walk};
use std::cell::RefCell;
use std::ops::ControlFlow;

/// Entries, records and cells examined in one hold of the lock: tens of microseconds.
pub(super) const PIECE_BUDGET: usize = 256;

/// Holds of the lock before other tasks on the caller's thread should get a turn: about a millisecond.
pub(super) const PIECES_PER_TURN: usize = 16;

/// The target of a search.
pub(super) trait Visitor {
    /// Returns whether a cell may contain a result.
    fn enters(&self, cell: Cell) -> bool;
    /// Examines the entries of a leaf.
    fn visit_entries(&mut self, entries: &[Entry], records: &Slab<Record>);
    /// Examines an entity that has a position, by its record. It may have been examined before.
    fn visit_record(&mut self, record: &Record);
}

/// The progress of a search.
///
/// The search walks the tree, and entities move between the pieces. An entity that moved to another leaf may now be where the walk has
/// already passed, so it is examined by its slot. If more entities moved than the tree remembers, the search scans all slots instead;
/// an entity keeps its slot wherever it moves.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    walk: Walk,
    /// The number of moves that were examined or that preceded the search.
    moves: Option<u64>,
    /// The next slot, once the search scans the slots.
    slot: Option<u32>,
}

impl Pieces {
    /// Runs one piece: at most [`PIECE_BUDGET`] entries, records and cells, plus a leaf.
    pub(super) fn advance(&mut self, state: &State, visitor: &mut impl Visitor) -> Progress {
        if let Some(slot) = self.slot {
            return self.scan_slots(slot, state, visitor);
        }
        let moves = &state.tree.moves;
        let mut seen = self.moves.unwrap_or(moves.count());
        let mut spent = 0;
        while seen < moves.count() && spent < PIECE_BUDGET {
            let Some(slot) = moves.get(seen) else {
                self.slot = Some(0);
                return Progress::Paused;
            };
            visit_slot(slot, state, visitor);
            seen += 1;
            spent += 1;
        }
        self.moves = Some(seen);
        if spent == PIECE_BUDGET {
            return Progress::Paused;
        }
        let visitor = RefCell::new(visitor);
        self.walk.advance(
            &state.tree,
            PIECE_BUDGET - spent,
            |cell| visitor.borrow().enters(cell),
            |entries| {
                examined::add(entries.len());
                visitor.borrow_mut().visit_entries(entries, &state.records);
                ControlFlow::Continue(())
            },
        )
    }

    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    fn scan_slots(&mut self, from: u32, state: &State, visitor: &mut impl Visitor) -> Progress {
        let end = state.records.end();
        let next = from.saturating_add(PIECE_BUDGET as u32).min(end);
        for slot in from..next {
            visit_slot(slot, state, visitor);
        }
        self.slot = Some(next);
        if next == end { Progress::Done } else { Progress::Paused }
    }
}

fn visit_slot(slot: u32, state: &State, visitor: &mut impl Visitor) {
    examined::add(1);
    if let Some(record) = state.records.get(slot).filter(|record| record.is_live()) {
        visitor.visit_record(record);
    }
}
