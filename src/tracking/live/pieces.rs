//! A search in pieces: it lays the lock down every now and then, and misses nothing that is where it looks all the while.

use super::grid::Cell;
use super::looks;
use super::record::Record;
use super::slab::Slab;
use super::state::State;
use super::tree::Entry;
use super::walk::{Pace, Walk};
use std::cell::RefCell;
use std::ops::ControlFlow;

/// Entries, records and cells looked at in one holding of the lock: tens of microseconds.
pub(super) const LOOK: usize = 256;

/// Holdings of the lock before others on the caller's thread should have their turn: about a millisecond.
pub(super) const TURN: usize = 16;

/// What a search is for.
pub(super) trait Look {
    /// Whether a cell may hold any of it.
    fn enters(&self, cell: Cell) -> bool;
    /// Looks at the entries of a leaf.
    fn entries(&mut self, entries: &[Entry], records: &Slab<Record>);
    /// Looks at an entity that has a place, by its record; it may have been looked at before.
    fn record(&mut self, record: &Record);
}

/// How far a search has come.
///
/// The tree is walked, and between the pieces entities move: those that have come to another leaf may have moved behind the walk,
/// so they are looked at by their slots. Where more have moved than the tree remembers, the slots are gone through instead; an
/// entity keeps its slot wherever it moves.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    walk: Walk,
    /// Moves that were looked at, or were over when the search began.
    moves: Option<u64>,
    /// The next slot, once the slots are gone through.
    slot: Option<u32>,
}

impl Pieces {
    /// Carries out one piece, of at most [`LOOK`] looks and a leaf.
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
