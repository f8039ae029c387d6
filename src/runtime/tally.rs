//! A total over all instances: the last count, plus what this process has created since.
//!
//! A creation costs a few atomic operations and no Redis command. The total lacks what other instances have created since the last count,
//! and includes what has ended since. It always includes what this process has created.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of items that all instances have stored.
#[derive(Debug, Default)]
pub struct Tally {
    counted: AtomicU64,
    /// Claims of this process since the last count.
    claimed: AtomicU64,
    /// The claims among them that were kept.
    kept: AtomicU64,
}

impl Tally {
    /// Returns the total.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counted.load(Ordering::Acquire) + self.claimed.load(Ordering::Acquire)
    }

    /// Adds an item that is about to be created. It is subtracted again if the returned guard is dropped without [`Claim::keep`].
    #[must_use]
    pub fn claim(&self) -> Claim<'_> {
        let before = self.counted.load(Ordering::Acquire) + self.claimed.fetch_add(1, Ordering::AcqRel);
        Claim {
            tally: self,
            before,
            is_kept: false,
        }
    }

    /// Begins a count; a process makes one at a time. Items that are created during the count are added to its result.
    #[must_use]
    pub fn begin_count(&self) -> Count<'_> {
        Count {
            tally: self,
            kept: self.kept.load(Ordering::Acquire),
        }
    }
}

/// An item that is about to be created.
#[derive(Debug)]
pub struct Claim<'a> {
    tally: &'a Tally,
    before: u64,
    is_kept: bool,
}

impl Claim<'_> {
    /// Returns the total without this item and those that were claimed later.
    #[must_use]
    pub const fn before(&self) -> u64 {
        self.before
    }

    /// Records that the item was created.
    pub fn keep(mut self) {
        self.is_kept = true;
        self.tally.kept.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.tally.claimed.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A count in progress.
#[derive(Debug)]
pub struct Count<'a> {
    tally: &'a Tally,
    kept: u64,
}

impl Count<'_> {
    /// Ends the count with its result.
    pub fn end(self, counted: u64) {
        let Self { tally, kept } = self;
        tally.counted.store(counted, Ordering::Release);
        tally.claimed.fetch_sub(kept, Ordering::AcqRel);
        tally.kept.fetch_sub(kept, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_created_since_the_count_are_added() {
        let tally = Tally::default();
        tally.claim().keep();
        let second = tally.claim();
        assert_eq!((second.before(), tally.total()), (1, 2));
        drop(second);
        assert_eq!(tally.total(), 1);
        let (early, count) = (tally.claim(), tally.begin_count());
        tally.claim().keep();
        early.keep();
        count.end(7);
        assert_eq!(tally.total(), 9, "two were created while it was counted");
        tally.begin_count().end(5);
        assert_eq!(tally.total(), 5);
    }
}
