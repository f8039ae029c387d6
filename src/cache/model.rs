//! The types of the slice: keys, tags, policies, entries, results.

use super::error::CacheError;
use super::settings::{MAX_KEY, MAX_TAGS, MAX_TTL};
use super::subject::Subject;
use crate::ids::Id;
use bytes::Bytes;
use std::time::Duration;

/// A label of entries of any namespace, by which they are invalidated together.
pub type Tag = Id;

/// The name of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub namespace: &'a Id,
    pub key: &'a str,
    /// The name's hash.
    pub subject: Subject,
}

impl<'a> Name<'a> {
    pub(super) fn new(namespace: &'a Id, key: &'a str) -> Result<Self, CacheError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(CacheError::Key);
        }
        Ok(Self {
            namespace,
            key,
            subject: Subject::entry(namespace, key),
        })
    }
}

/// How an entry is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// Its TTL, during which it is fresh: 1 ms to [`MAX_TTL`].
    pub ttl: Duration,
    /// How long after that it may be served stale while it is computed again; at most [`MAX_TTL`].
    pub stale_while_revalidate: Duration,
    /// How long after that it may be served stale if computing it again fails; at most [`MAX_TTL`].
    pub stale_if_error: Duration,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The share of `ttl`, 0 to 1, of which a random part is subtracted, so that entries that are stored together do not expire together.
    pub jitter: f64,
    /// How long an instance may keep it in its own memory, within its settings; not at all if zero. That
    /// memory receives invalidations by message, a moment after another instance has acknowledged them.
    pub local: Duration,
}

impl Put {
    /// Creates one that is fresh for `ttl` and then expires, without tags or jitter, and not in the memory of instances.
    #[must_use]
    pub const fn fresh_for(ttl: Duration) -> Self {
        Self {
            ttl,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            tags: Vec::new(),
            jitter: 0.0,
            local: Duration::ZERO,
        }
    }

    /// Sets the tags.
    #[must_use]
    pub fn tagged(self, tags: impl IntoIterator<Item = Tag>) -> Self {
        Self {
            tags: tags.into_iter().collect(),
            ..self
        }
    }

    /// Sets how long it may be served stale while it is computed again, and if that fails.
    #[must_use]
    pub fn stale_for(self, while_revalidate: Duration, if_error: Duration) -> Self {
        Self {
            stale_while_revalidate: while_revalidate,
            stale_if_error: if_error,
            ..self
        }
    }

    /// Sets how long an instance may keep it in its own memory.
    #[must_use]
    pub fn kept_locally(self, local: Duration) -> Self {
        Self { local, ..self }
    }

    /// Sets the jitter, 0 to 1.
    #[must_use]
    pub fn jittered(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Returns how long it is stored, before jitter.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.ttl + self.stale_while_revalidate.max(self.stale_if_error)
    }

    pub(super) fn check(&self) -> Result<(), CacheError> {
        if self.tags.len() > MAX_TAGS {
            return Err(CacheError::TooManyTags);
        }
        let allowed = Duration::from_millis(1)..=MAX_TTL;
        if !allowed.contains(&self.ttl) || self.stale_while_revalidate > MAX_TTL || self.stale_if_error > MAX_TTL {
            return Err(CacheError::Ttl);
        }
        Ok(())
    }

    /// Returns its TTL minus the jitter; at least a millisecond.
    pub(super) fn drawn_ttl(&self) -> Duration {
        let share = self.jitter.clamp(0.0, 1.0);
        // Not a number counts as no jitter.
        if share.is_nan() || share <= 0.0 {
            return self.ttl;
        }
        let drawn = self.ttl.mul_f64(1.0 - share * rand::random_range(0.0..1.0));
        drawn.max(Duration::from_millis(1))
    }
}

/// What to do if Redis is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Compute the value, once for all concurrent callers of this process, and do not store it.
    Compute,
    /// Fail the call.
    Fail,
}

/// How a value is read or computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How it is stored. The tags are read together with the entry.
    pub put: Put,
    /// The probability of an early refresh: the β of `XFetch`. Its authors recommend 1; 0 means never.
    pub beta: f64,
    /// The duration of the lease with which one instance computes for all; without a lease each instance computes for itself.
    pub lease: Option<Duration>,
    /// What to do if Redis is unavailable.
    pub outage: Outage,
}

impl Policy {
    /// Creates a policy: early refresh as the authors of `XFetch` recommend, no lease, and computing if Redis is unavailable.
    #[must_use]
    pub const fn new(put: Put) -> Self {
        Self {
            put,
            beta: 1.0,
            lease: None,
            outage: Outage::Compute,
        }
    }

    /// Makes one instance compute for all; the others wait for at most this time.
    #[must_use]
    pub fn leased(self, lease: Duration) -> Self {
        Self {
            lease: Some(lease),
            ..self
        }
    }
}

/// Where an entry was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// In this process.
    Local,
    /// In Redis.
    Shared,
}

/// A valid entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value.
    pub bytes: Bytes,
    /// The time since its computation began.
    pub age: Duration,
    /// How long it stays fresh; zero if it is stale.
    pub fresh_for: Duration,
    /// How long it may be served, fresh or stale, while it is computed again.
    pub stale_for: Duration,
    /// How long it may be served, fresh or stale, if computing it again fails.
    pub error_for: Duration,
    /// How long its computation took.
    pub cost: Duration,
    /// Where it was found.
    pub level: Level,
}

impl Entry {
    /// Returns whether it is fresh.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        !self.fresh_for.is_zero()
    }

    /// Creates the entry of a value that was computed now.
    pub(super) fn computed(bytes: Bytes, put: &Put, cost: Duration) -> Self {
        Self {
            bytes,
            age: cost,
            fresh_for: put.ttl,
            stale_for: put.ttl + put.stale_while_revalidate,
            error_for: put.ttl + put.stale_if_error,
            cost,
            level: Level::Shared,
        }
    }
}

/// What is stored under a key.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// No valid entry.
    Miss,
    /// A valid, fresh entry.
    Fresh(Entry),
    /// A valid, stale entry. `stale_for` is how long it may still be served while it is computed again, `error_for` how long if that
    /// fails; one of them is not zero.
    Stale(Entry),
}

/// A value that was found.
#[derive(Debug, Clone)]
pub struct Hit<T> {
    /// The value.
    pub value: T,
    /// The time since its computation began.
    pub age: Duration,
    /// How long it stays fresh; zero if it is stale and may be served.
    pub fresh_for: Duration,
    /// Where it was found.
    pub level: Level,
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The value is stored.
    Stored,
    /// The value is not stored: the key was written or deleted since the ticket was taken, or what the value depends on was invalidated.
    Superseded,
}

/// The source of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Found fresh.
    Fresh(Level),
    /// Found stale; it is computed again in the background.
    Stale,
    /// Found stale; computing it again failed.
    StaleOnError,
    /// Computed for this caller.
    Computed,
    /// Computed for another caller, here or in another instance.
    Joined,
}

/// A value, found or computed.
#[derive(Debug, Clone)]
pub struct Fetched<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub source: Source,
    /// The time since its computation began.
    pub age: Duration,
    /// How long it stays fresh; zero if it is stale or not stored.
    pub fresh_for: Duration,
}

/// The result of a computation.
#[derive(Debug, Clone)]
pub struct Made {
    /// The value.
    pub bytes: Bytes,
    /// How it is stored; not at all if `None`. Its tags need not be those of the policy. The first value with a new tag is not stored,
    /// because an invalidation of that tag during the computation could not be detected; the next one is.
    pub put: Option<Put>,
}

/// A counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Its value.
    pub value: i64,
    /// The time until it expires.
    pub ends_in: Duration,
}

/// The remaining TTL of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Fresh; zero if it is stale.
    pub fresh_for: Duration,
    /// Fresh or stale.
    pub ends_in: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_of_zero_is_refused() {
        let put = |ttl| Put::fresh_for(ttl).check();
        assert!(matches!(put(Duration::ZERO), Err(CacheError::Ttl)));
        assert!(matches!(put(Duration::from_micros(999)), Err(CacheError::Ttl)));
        assert!(matches!(put(MAX_TTL + Duration::from_nanos(1)), Err(CacheError::Ttl)));
        assert!(put(Duration::from_millis(1)).is_ok() && put(MAX_TTL).is_ok());
        let put = Put::fresh_for(MAX_TTL).stale_for(MAX_TTL * 2, Duration::ZERO);
        assert!(matches!(put.check(), Err(CacheError::Ttl)));
    }

    #[test]
    fn jitter_subtracts_at_most_its_share() {
        let put = Put::fresh_for(Duration::from_secs(100)).jittered(0.1);
        let drawn: Vec<_> = (0..1_000).map(|_| put.drawn_ttl().as_secs_f64()).collect();
        assert!(drawn.iter().all(|ttl| (90.0..=100.0).contains(ttl)));
        assert!(drawn.iter().any(|ttl| *ttl < 92.0) && drawn.iter().any(|ttl| *ttl > 98.0));
        let exact = Put::fresh_for(Duration::from_secs(100));
        assert_eq!(exact.drawn_ttl(), exact.ttl);
        let ttl = exact.ttl;
        assert_eq!(exact.jittered(f64::NAN).drawn_ttl(), ttl);
    }
}
