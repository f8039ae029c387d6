//! Limits on the memory of all requests of a process: for bodies, and for answers that clients have not read yet.

use super::Problem;
use prometheus::IntGauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes that all requests of a process share. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    gauge: IntGauge,
    /// What it is for, in the words of a problem.
    what: &'static str,
}

/// Bytes taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Room {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes; `gauge` shows how much of it is taken, `what` says in problems what takes it.
    #[must_use]
    pub fn new(limit: usize, gauge: IntGauge, what: &'static str) -> Self {
        Self(Arc::new(Inner {
            limit,
            used: AtomicUsize::new(0),
            gauge,
            what,
        }))
    }

    /// Takes nothing yet.
    #[must_use]
    pub fn room(&self) -> Room {
        Room {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// How much is left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.limit.saturating_sub(self.0.used.load(Ordering::Relaxed))
    }

    /// The answer to a request for which nothing is left.
    #[must_use]
    pub fn spent(&self) -> Problem {
        let what = self.0.what;
        Problem::unavailable(
            format!("{what} take all the memory that is set aside for them; try again"),
            1,
        )
    }
}

impl Room {
    /// How much it has taken.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more, whatever is left.
    pub fn take(&mut self, bytes: usize) {
        self.budget.0.used.fetch_add(bytes, Ordering::Relaxed);
        self.note(bytes);
    }

    /// Takes more if it is there.
    ///
    /// # Errors
    /// 503 if it is not.
    pub fn try_take(&mut self, bytes: usize) -> Result<(), Problem> {
        let inner = &self.budget.0;
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= inner.limit);
        if inner
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_err()
        {
            return Err(self.budget.spent());
        }
        self.note(bytes);
        Ok(())
    }

    /// Gives a part back.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        if bytes == 0 {
            return;
        }
        self.bytes -= bytes;
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.0.gauge.sub(i64::try_from(bytes).unwrap_or(0));
    }

    fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.0.gauge.add(i64::try_from(bytes).unwrap_or(0));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let gauge = IntGauge::new("used", "used").unwrap();
        let budget = Budget::new(100, gauge.clone(), "answers");
        let mut first = budget.room();
        assert!(first.try_take(60).is_ok());
        let mut second = budget.room();
        assert!(second.try_take(41).is_err());
        assert!(second.try_take(40).is_ok() && budget.left() == 0);
        assert_eq!(gauge.get(), 100);
        first.give_back(10);
        assert!(second.try_take(10).is_ok());
        // What cannot be refused is taken beyond the limit, and counted.
        first.take(1_000);
        assert_eq!(gauge.get(), 1_100);
        drop((first, second));
        assert_eq!(gauge.get(), 0);
        assert_eq!(budget.left(), 100);
    }
}
