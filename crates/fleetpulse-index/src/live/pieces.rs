//! A search in pieces: it releases the lock regularly, and misses no entity that stays in the searched area all the time.

use super::grid::Cell;
use super::looks;
use super::record::Record;
use super::slab::Slab;
use super::state::State;
use super::tree::Entry;
use super::walk::{Pace, Walk};
use std::cell::RefCell;
use std::ops::ControlFlow;

/// Entries, records and cells examined in one hold of the lock: tens of microseconds.
pub(super) const LOOK: usize = 256;

/// Holds of the lock before other tasks on the caller's thread should get a turn: about a millisecond.
pub(super) const TURN: usize = 16;

/// The target of a search.
pub(super) trait Look {
    /// Returns whether a cell may contain a result.
    fn enters(&self, cell: Cell) -> bool;
    /// Examines the entries of a leaf.
    fn entries(&mut self, entries: &[Entry], records: &Slab<Record>);
    /// Examines an entity that has a position, by its record. It may have been examined before.
    fn record(&mut self, record: &Record);
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
    /// Runs one piece: at most [`LOOK`] entries, records and cells, plus a leaf.
    pub(super) fn go_on(&mut self, state: &State, look: &mut impl Look) -> Pace {
        if let Some(slot) = self.slot {
            return self.look_at_slots(slot, state, look);
        }
        let moves = &state.tree.moves;
        let mut seen = self.moves.unwrap_or(moves.count());
        let mut spent = 0;
        while seen < moves.count() && spent < LOOK {
            let Some(slot) = moves.get(seen) else {
                self.slot = Some(0);
                return Pace::Paused;
            };
            look_at(slot, state, look);
            seen += 1;
            spent += 1;
        }
        self.moves = Some(seen);
        if spent == LOOK {
            return Pace::Paused;
        }
        let look = RefCell::new(look);
        self.walk.go_on(
            &state.tree,
            LOOK - spent,
            |cell| look.borrow().enters(cell),
            |entries| {
                looks::note(entries.len());
                look.borrow_mut().entries(entries, &state.records);
                ControlFlow::Continue(())
            },
        )
    }

    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    fn look_at_slots(&mut self, from: u32, state: &State, look: &mut impl Look) -> Pace {
        let end = state.records.end();
        let next = from.saturating_add(LOOK as u32).min(end);
        for slot in from..next {
            look_at(slot, state, look);
        }
        self.slot = Some(next);
        if next == end { Pace::Done } else { Pace::Paused }
    }
}

fn look_at(slot: u32, state: &State, look: &mut impl Look) {
    looks::note(1);
    if let Some(record) = state.records.get(slot).filter(|record| record.is_live()) {
        look.record(record);
    }
}
