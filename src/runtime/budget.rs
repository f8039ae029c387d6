//! Limits on the memory of all requests of a process: for bodies, and for answers that clients have not read yet.

use prometheus::IntGauge;
use std::mem;
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
    /// The users of the memory, as named in [`NoRoom`].
    what: &'static str,
}

/// The budget has less left than was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} use all the memory that is reserved for them; try again")]
pub struct NoRoom {
    what: &'static str,
}

/// The part of the remaining bytes that [`Budget::share`] takes at most: 1 / `SHARE`.
const SHARE: usize = 8;

/// Bytes taken from a [`Budget`]; released when dropped.
#[derive(Debug)]
pub struct Room {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// Creates a budget of `limit` bytes. `gauge` shows how much of it is taken; `what` names its users in [`NoRoom`].
    #[must_use]
    pub fn new(limit: usize, gauge: IntGauge, what: &'static str) -> Self {
        Self(Arc::new(Inner {
            limit,
            used: AtomicUsize::new(0),
            gauge,
            what,
        }))
    }

    /// Returns room that takes nothing yet.
    #[must_use]
    pub fn room(&self) -> Room {
        Room {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.limit.saturating_sub(self.0.used.load(Ordering::Relaxed))
    }

    /// Takes `most` bytes, or an eighth of what is left if that is less, but at least `least`. So all of many concurrent calls get some
    /// bytes. A call that gets fewer than `most` processes less data.
    ///
    /// # Errors
    /// [`NoRoom`] if `least` is not left.
    pub fn share(&self, least: usize, most: usize) -> Result<Room, NoRoom> {
        let mut room = self.room();
        let share = most.min(self.left() / SHARE).max(least);
        room.try_take(share)
            .or_else(|_others_were_faster| room.try_take(least))?;
        Ok(room)
    }

    /// Returns the error of a call for which nothing is left.
    #[must_use]
    pub fn spent(&self) -> NoRoom {
        NoRoom { what: self.0.what }
    }
}

impl Room {
    /// Returns how many bytes it has taken.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more bytes, even beyond the limit.
    pub fn take(&mut self, bytes: usize) {
        self.budget.0.used.fetch_add(bytes, Ordering::Relaxed);
        self.note(bytes);
    }

    /// Takes more bytes if they are left.
    ///
    /// # Errors
    /// [`NoRoom`] if they are not left.
    pub fn try_take(&mut self, bytes: usize) -> Result<(), NoRoom> {
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

    /// Takes or releases bytes so that it has this many, even beyond the limit.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.take(bytes - self.bytes);
        } else {
            self.give_back(self.bytes - bytes);
        }
    }

    /// Takes or releases bytes so that it has this many.
    ///
    /// # Errors
    /// [`NoRoom`] if they are not left; it keeps what it has.
    pub fn try_resize(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.try_take(bytes.saturating_sub(self.bytes))?;
        self.resize(bytes);
        Ok(())
    }

    /// Splits off this many bytes, or all if it has fewer.
    #[must_use]
    pub fn split_off(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            budget: self.budget.clone(),
            bytes,
        }
    }

    /// Merges other room of the same budget into this one.
    #[must_use]
    pub fn joined(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(mut first), Some(mut second)) => {
                first.bytes += mem::take(&mut second.bytes);
                Some(first)
            }
            (first, second) => first.or(second),
        }
    }

    /// Releases a part.
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
    fn taken_bytes_are_released() {
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
        // Bytes that cannot be refused are taken beyond the limit, and counted.
        first.take(1_000);
        assert_eq!(gauge.get(), 1_100);
        drop((first, second));
        assert_eq!(gauge.get(), 0);
        assert_eq!(budget.left(), 100);
    }

    #[test]
    fn many_calls_share_what_is_left() {
        let budget = Budget::new(800, IntGauge::new("used", "used").unwrap(), "answers");
        let first = budget.share(10, 50).unwrap();
        assert_eq!(first.bytes(), 50, "an eighth is more than the call requested");
        let mut others = Vec::new();
        while let Ok(share) = budget.share(10, 500) {
            others.push(share);
        }
        assert_eq!(others[0].bytes(), 750 / SHARE);
        assert!(others.len() > 20 && others.iter().all(|share| share.bytes() >= 10));
        assert!(budget.left() < 10, "each call gets the minimum as long as that is left");
    }

    #[test]
    fn a_split_off_part_is_released_on_its_own() {
        let budget = Budget::new(100, IntGauge::new("used", "used").unwrap(), "answers");
        let mut room = budget.share(80, 80).unwrap();
        assert!(room.try_resize(101).is_err() && room.bytes() == 80);
        let part = room.split_off(30);
        assert_eq!((room.bytes(), part.bytes(), budget.left()), (50, 30, 20));
        room.resize(10);
        assert_eq!(budget.left(), 60);
        drop(part);
        assert_eq!(budget.left(), 90);
    }
}
