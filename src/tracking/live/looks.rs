//! Counts, for tests, what is looked at while the lock is held. Outside of tests it does nothing.

/// Entries or records are looked at.
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
        /// In this holding of the lock, and the most in any.
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

    /// The most that this thread looks at in one holding of the lock while it carries something out.
    pub(in super::super) fn most_of(carry_out: impl FnOnce()) -> usize {
        LOOKS.with(|looks| looks.set((0, 0)));
        carry_out();
        LOOKS.with(|looks| looks.get().1)
    }
}
