use super::model::Holder;
use crate::store::StoreError;

/// Why a lock was not granted, renewed or released.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it, and it was not to be waited for. No holder: it is being handed to one who has waited.
    #[error("the lock is taken; try again after it expires, or wait for it with wait_ms")]
    Taken(Option<Holder>),
    /// Somebody had it for as long as it was waited for.
    #[error("the lock did not become free within wait_ms; try again")]
    TimedOut(Option<Holder>),
    /// As many wait for it as may.
    #[error("too many requests wait for the lock; try again later")]
    QueueFull,
    /// The token holds this lock already, but for another owner or another time, or it was the last to be released: each time
    /// that a lock is wanted has a token of its own.
    #[error("the token holds this lock for another owner or time, or has released it; use a new token")]
    TokenReused,
    /// It was waited for, and this process is about to end: [`super::Wakeups::close`].
    #[error("this instance is stopping; ask another")]
    Closed,
    /// Nobody holds it: the grant has ended.
    #[error("the lock is not held: it was released, or has expired; acquire it again")]
    NotHeld,
    /// Somebody else holds it: the grant has ended, or there never was one.
    #[error("the lock is held with another token; stop the work that it protects, and acquire it again")]
    HeldByOther(Holder),
    /// Redis. After [`StoreError::Lost`] a grant may stand that nobody heard of: asking again with the same token finds it,
    /// and if nobody does it is taken back as soon as Redis answers.
    #[error(transparent)]
    Store(#[from] StoreError),
}
