//! Counts, for tests, what is examined while the lock is held. Does nothing outside of tests.

/// Records that entries or records are examined.
#[inline]
pub(super) fn note(count: usize) {
    #[cfg(test)]
    counting::note(count);
    #[cfg(not(test))]
    let _ = count;
}

#[cfg(test)]
pub(super) use counting::{lock_taken, most_of};

#[cfg(test)]
mod counting {
    use std::cell::Cell;

    thread_local! {
        /// The number since the lock was taken, and the highest number of any such period.
        static LOOKS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    pub(super) fn note(count: usize) {
        LOOKS.with(|looks| {
            let (now, most) = looks.get();
            looks.set((now + count, most.max(now + count)));
        });
    }

    pub(in super::super) fn lock_taken() {
        LOOKS.with(|looks| looks.set((0, looks.get().1)));
    }

    /// Returns the most that this thread examines during one hold of the lock while it runs `carry_out`.
    pub(in super::super) fn most_of(carry_out: impl FnOnce()) -> usize {
        LOOKS.with(|looks| looks.set((0, 0)));
        carry_out();
        LOOKS.with(|looks| looks.get().1)
    }
}
