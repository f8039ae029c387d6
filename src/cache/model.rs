//! The words of the slice: keys, tags, how an entry is to be kept, what is found.

use super::error::CacheError;
use super::settings::{MAX_KEY, MAX_TTL};
use super::subject::Subject;
use crate::ids::Id;
use bytes::Bytes;
use std::time::Duration;

/// The most tags of an entry.
pub const MAX_TAGS: usize = 32;

/// What entries of any namespace may have in common, to be invalidated together.
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

/// How an entry is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// For how long it is fresh: 1 ms to [`MAX_TTL`].
    pub ttl: Duration,
    /// For how long after that it may be served while it is computed anew; at most [`MAX_TTL`].
    pub stale_while_revalidate: Duration,
    /// For how long after that it may be served when computing it anew fails; at most [`MAX_TTL`].
    pub stale_if_error: Duration,
    /// What it depends on.
    pub tags: Vec<Tag>,
    /// The share of `ttl`, 0 to 1, of which a random part is taken off, so that entries written together do not end together.
    pub jitter: f64,
    /// For how long an instance may keep it in its own memory, within what its settings allow; not at all if zero. That
    /// memory hears of invalidations by message, a moment after they are acknowledged elsewhere.
    pub local: Duration,
}

impl Put {
    /// Fresh for `ttl`, then gone; without tags, jitter, or a copy in anybody's memory.
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

    /// The same with these tags.
    #[must_use]
    pub fn tagged(self, tags: impl IntoIterator<Item = Tag>) -> Self {
        Self {
            tags: tags.into_iter().collect(),
            ..self
        }
    }

    /// The same, served for so long after its time while it is computed anew, and for so long when that fails.
    #[must_use]
    pub fn stale_for(self, while_revalidate: Duration, if_error: Duration) -> Self {
        Self {
            stale_while_revalidate: while_revalidate,
            stale_if_error: if_error,
            ..self
        }
    }

    /// The same, kept in an instance's own memory for so long.
    #[must_use]
    pub fn kept_locally(self, local: Duration) -> Self {
        Self { local, ..self }
    }

    /// The same with another jitter, 0 to 1.
    #[must_use]
    pub fn jittered(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// How long it is of any use, before jitter.
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

    /// The time for which it is fresh, with jitter taken off; at least a millisecond.
    pub(super) fn drawn_ttl(&self) -> Duration {
        let share = self.jitter.clamp(0.0, 1.0);
        // No number is no share.
        if share.is_nan() || share <= 0.0 {
            return self.ttl;
        }
        let drawn = self.ttl.mul_f64(1.0 - share * rand::random_range(0.0..1.0));
        drawn.max(Duration::from_millis(1))
    }
}

/// What is done when Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// The value is computed, once for all who wait in this process, and kept nowhere.
    Compute,
    /// The call fails.
    Fail,
}

/// How a value is found or computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How it is kept. The tags are read together with the entry.
    pub put: Put,
    /// How eagerly a fresh entry is computed anew before its time is over: the β of `XFetch`, 1 as its authors advise, 0 never.
    pub beta: f64,
    /// For how long one instance may keep the others from computing the same; each computes for itself if `None`.
    pub lease: Option<Duration>,
    /// What is done with Redis away.
    pub outage: Outage,
}

impl Policy {
    /// Kept as `put` says, refreshed early as the authors of `XFetch` advise, computed by each instance for itself, and
    /// computed although Redis is away.
    #[must_use]
    pub const fn new(put: Put) -> Self {
        Self {
            put,
            beta: 1.0,
            lease: None,
            outage: Outage::Compute,
        }
    }

    /// The same, computed by one instance alone; the others wait for it for so long.
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
    /// For how long it is still fresh; zero if it is not.
    pub fresh_for: Duration,
    /// For how long it may still be served, its time being over or not, while it is computed anew.
    pub stale_for: Duration,
    /// For how long it may still be served, its time being over or not, when computing it anew fails.
    pub error_for: Duration,
    /// What computing it took.
    pub cost: Duration,
    /// Where it was found.
    pub level: Level,
}

impl Entry {
    /// Whether its time is not over.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        !self.fresh_for.is_zero()
    }

    /// An entry just computed.
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

/// What lies under a key.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// Nothing that is valid.
    Miss,
    /// A valid entry whose time is not over.
    Fresh(Entry),
    /// A valid entry whose time is over: `stale_for` says whether it may be served while it is computed anew, `error_for`
    /// whether when that fails; one of them is not zero.
    Stale(Entry),
}

/// A value that was found.
#[derive(Debug, Clone)]
pub struct Hit<T> {
    /// The value.
    pub value: T,
    /// The time since its computation began.
    pub age: Duration,
    /// For how long it is still fresh; zero if it is stale, and allowed to be served all the same.
    pub fresh_for: Duration,
    /// Where it was found.
    pub level: Level,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Stored,
    /// It is not: the key was written or deleted since the ticket was taken, or what the value depends on was invalidated.
    Superseded,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Found fresh.
    Fresh(Level),
    /// Found stale, and computed anew meanwhile.
    Stale,
    /// Found stale, and computing it anew failed.
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
    /// Where it comes from.
    pub source: Source,
    /// The time since its computation began.
    pub age: Duration,
    /// For how long it is still fresh; zero if it is stale, or kept nowhere.
    pub fresh_for: Duration,
}

/// What a computation came to.
#[derive(Debug, Clone)]
pub struct Made {
    /// The value.
    pub bytes: Bytes,
    /// How it is kept; not at all if `None`. Its tags need not be those of the policy. One that nobody depended on before
    /// cannot be shown to have been valid all along, so the first value with a new tag is not kept, and the next is.
    pub put: Option<Put>,
}

/// A number that instances count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// What it stands at.
    pub value: i64,
    /// For how long it lives.
    pub ends_in: Duration,
}

/// For how long an entry lives.
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
    fn a_time_to_live_of_nothing_is_refused_and_never_means_for_ever() {
        let put = |ttl| Put::fresh_for(ttl).check();
        assert!(matches!(put(Duration::ZERO), Err(CacheError::Ttl)));
        assert!(matches!(put(Duration::from_micros(999)), Err(CacheError::Ttl)));
        assert!(matches!(put(MAX_TTL + Duration::from_nanos(1)), Err(CacheError::Ttl)));
        assert!(put(Duration::from_millis(1)).is_ok() && put(MAX_TTL).is_ok());
        let put = Put::fresh_for(MAX_TTL).stale_for(MAX_TTL * 2, Duration::ZERO);
        assert!(matches!(put.check(), Err(CacheError::Ttl)));
    }

    #[test]
    fn jitter_takes_off_no_more_than_its_share() {
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
