//! The errors of the slice.

use super::settings::{MAX_KEY, MAX_TAGS, MAX_TTL};
use crate::store::{QueueFull, StoreError};
use std::sync::Arc;

/// Why a call failed. A miss is not an error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CacheError {
    /// Redis. After [`StoreError::Lost`] a write may have been carried out; it can be repeated.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored under the key is not an entry, or not of the requested type. It can be overwritten or deleted.
    #[error(
        "the value stored under this key is not an entry, or an entry of another type; delete it, or use another key"
    )]
    Corrupt,
    /// The value is too large.
    #[error("a value has at most {most} bytes, and this one {bytes}")]
    TooBig {
        /// Its size in bytes.
        bytes: usize,
        /// The maximum size in bytes.
        most: usize,
    },
    /// The TTL is zero or longer than [`MAX_TTL`]. There are no entries without expiry.
    #[error("a time to live is 1 ms to {} days", MAX_TTL.as_secs() / 86_400)]
    Ttl,
    /// The key is empty or too long.
    #[error("a key has 1 to {MAX_KEY} bytes")]
    Key,
    /// The entry has too many tags.
    #[error("an entry has at most {MAX_TAGS} tags")]
    TooManyTags,
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON: {0}")]
    NotJson(String),
    /// What is stored is not a counter.
    #[error("the value stored under this name is not a counter; delete it, or use another name")]
    NoCounter,
    /// The counter would exceed ±(2^53 − 1), the integers that every JSON reader has.
    #[error("a counter stays within ±(2^53 - 1)")]
    CounterRange,
    /// The idempotency key was used with another body.
    #[error("the same key was used with another body; use a new key")]
    KeyReused,
    /// The maximum number of calls or computations is in progress.
    #[error("too many calls are in progress; try again")]
    Busy,
}

impl From<QueueFull> for CacheError {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}

/// Why a value could be neither read nor computed.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError<E> {
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The computation failed. All callers that waited for it get the same error.
    #[error("the computation failed")]
    Failed(Arc<E>),
    /// The computation ended without a result: it panicked, or its thread stopped.
    #[error("the computation ended without a result")]
    Lost,
}
