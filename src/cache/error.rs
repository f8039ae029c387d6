//! Why the cache did not do what it was asked to, or has no value.

use super::model::MAX_TAGS;
use super::settings::{MAX_KEY, MAX_TTL};
use crate::store::{QueueFull, StoreError};
use std::sync::Arc;

/// Why the cache did not do what it was asked to. A miss is none of these.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CacheError {
    /// Redis. Whether a write was carried out nobody knows after [`StoreError::Lost`]; repeating it is harmless.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What lies under the key is no entry, or none of the type that was asked for; it may be written over or deleted.
    #[error("what is stored under this key is not an entry, or one of another type; delete it, or use another key")]
    Corrupt,
    /// The value has too many bytes.
    #[error("a value has at most {most} bytes, and this one {bytes}")]
    TooBig {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// A time to live of nothing, or beyond [`MAX_TTL`]; none means for ever.
    #[error("a time to live is 1 ms to {} days", MAX_TTL.as_secs() / 86_400)]
    Ttl,
    /// A key that is empty or too long.
    #[error("a key has 1 to {MAX_KEY} bytes")]
    Key,
    /// An entry with too many tags.
    #[error("an entry has at most {MAX_TAGS} tags")]
    TooManyTags,
    /// The value has no form in JSON.
    #[error("the value cannot be written as JSON: {0}")]
    NotJson(String),
    /// What is stored is no counter.
    #[error("what is stored under this name is not a counter; delete it, or use another name")]
    NoCounter,
    /// The counter would leave the whole numbers that every reader has: ±(2^53 − 1).
    #[error("a counter stays within ±(2^53 - 1)")]
    CounterRange,
    /// The idempotency key was used with another body.
    #[error("the same key was used with another body; use a new key")]
    KeyReused,
    /// As many calls or computations are under way as may be.
    #[error("too many calls are under way; try again")]
    Busy,
}

impl From<QueueFull> for CacheError {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}

/// Why there is no value, found or computed.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError<E> {
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The computation failed; everybody who waited for it has the same error.
    #[error("the computation failed")]
    Failed(Arc<E>),
    /// The computation ended without a result: it panicked, or the thread that it ran on has ended.
    #[error("the computation ended without a result")]
    Lost,
}
