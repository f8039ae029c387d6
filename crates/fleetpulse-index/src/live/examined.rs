//! Counts, for tests, the entries and records that are examined in one hold of the lock. Does nothing outside of tests.

/// Adds to the count of the current hold.
#[inline]
pub(super) fn add(count: usize) {
    #[cfg(test)]
    counting::add(count);
    #[cfg(not(test))]
    let _ = count;
}

#[cfg(test)]
pub(super) use counting::{begin_hold, max_in_one_hold};

#[cfg(test)]
mod counting {
    use std::cell::Cell;

    thread_local! {
        /// The count of the current hold, and the highest count of any hold.
        static COUNTS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    pub(super) fn add(count: usize) {
        COUNTS.with(|counts| {
            let (current, highest) = counts.get();
            counts.set((current + count, highest.max(current + count)));
        });
    }

    /// Starts a new hold of the lock.
    pub(in super::super) fn begin_hold() {
        COUNTS.with(|counts| counts.set((0, counts.get().1)));
    }

    /// Returns the most that this thread examines in one hold of the lock while it runs `call`.
    pub(in super::super) fn max_in_one_hold(call: impl FnOnce()) -> usize {
        COUNTS.with(|counts| counts.set((0, 0)));
        call();
        COUNTS.with(|counts| counts.get().1)
    }
}
