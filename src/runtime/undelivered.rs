use std::fmt;
use std::ops::Deref;

/// Releases something when dropped, unless it is [settled](Self::settle) before. It is created before the request that acquires the thing,
/// so that a call that is dropped in the middle leaves nothing acquired.
pub struct GiveBack(Option<Box<dyn FnOnce() + Send>>);

impl GiveBack {
    /// Runs `give_back` when dropped.
    #[must_use]
    pub fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }

    /// Creates a guard that releases nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// Makes the guard release nothing.
    pub fn settle(&mut self) {
        self.0 = None;
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

impl fmt::Debug for GiveBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GiveBack").field(&self.0.is_some()).finish()
    }
}

/// Something that a call delivers (a grant, leased jobs, a ticket, a session, a hold) and its client has not received yet. It is released
/// when it is dropped.
#[derive(Debug)]
pub struct Undelivered<T> {
    value: T,
    give_back: GiveBack,
}

impl<T> Undelivered<T> {
    /// Creates a value that `give_back` releases.
    #[must_use]
    pub const fn new(value: T, give_back: GiveBack) -> Self {
        Self { value, give_back }
    }

    /// Returns the value, which now belongs to its client.
    #[must_use]
    pub fn deliver(mut self) -> T {
        self.give_back.settle();
        self.value
    }
}

impl<T> Deref for Undelivered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn an_undelivered_value_is_released_once() {
        let returned = Arc::new(AtomicU32::new(0));
        let taken = |value| {
            let returned = Arc::clone(&returned);
            let give_back = GiveBack::new(move || {
                returned.fetch_add(1, Ordering::Relaxed);
            });
            Undelivered::new(value, give_back)
        };
        assert_eq!(taken(7).deliver(), 7);
        assert_eq!(returned.load(Ordering::Relaxed), 0);
        drop(taken(7));
        assert_eq!(returned.load(Ordering::Relaxed), 1);
    }
}
