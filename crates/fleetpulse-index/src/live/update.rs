//! Changes to the index, and their outcomes.

use crate::Id;
use crate::model::Fix;

/// A fix of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The entity.
    pub id: Id,
    /// Its position.
    pub fix: Fix,
}

/// The source of a change, which determines whether the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The store has acknowledged the change, to this process or to another. It clears the unsaved mark of anything that is not newer.
    Stored,
    /// Read from the store at a load or reload. As `Stored`, but if the index has something newer, the store has lost that, and it
    /// becomes unsaved, unless it was received since the reload began.
    Loaded,
    /// Accepted while the store is unavailable: becomes unsaved.
    Local,
}

/// The outcome of one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is now the newest of an entity that was unknown before, or whose profile was never read from the store.
    Created,
    /// It is the newest now.
    Applied,
    /// Something newer is known, or the fix has already expired. Ignored.
    Stale,
    /// The entity is unknown and there is no room for another. Ignored.
    Full,
}

/// The number of updates of a batch by [`Outcome`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// [`Outcome::Created`] and [`Outcome::Applied`].
    pub fresh: usize,
    /// [`Outcome::Stale`].
    pub stale: usize,
    /// [`Outcome::Full`].
    pub full: usize,
}
