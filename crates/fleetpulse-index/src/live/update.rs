//! The words of a change to the index.

use crate::Id;
use crate::model::Fix;

/// A fix on its way into the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Whose it is.
    pub id: Id,
    /// Where it was, and when.
    pub fix: Fix,
}

/// Where a change comes from, and so whether Redis has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Redis acknowledged it, to us or to the instance that published it. Clears the unsaved mark of anything not newer.
    Stored,
    /// Read from Redis at a load or reload. As `Stored`, but where the index knows something newer, Redis has lost that, and it
    /// becomes unsaved; unless that was heard since the reload began.
    Loaded,
    /// Taken while Redis is away: becomes unsaved.
    Local,
}

/// What became of one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is now the newest, of an entity that was unknown before, or whose profile was never read from Redis.
    Created,
    /// It is the newest now.
    Applied,
    /// Something newer is known, or it is past its time to live already. Ignored.
    Stale,
    /// The entity is unknown and there is no room for another. Ignored.
    Full,
}

/// How many updates of a batch came to which [`Outcome`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// [`Outcome::Created`] and [`Outcome::Applied`].
    pub fresh: usize,
    /// [`Outcome::Stale`].
    pub stale: usize,
    /// [`Outcome::Full`].
    pub full: usize,
}
