use super::model::Holder;
use crate::store::StoreError;

/// Why a lock was not granted, renewed or released.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it, and it was not to be waited for. No holder: it is being handed to one who has waited.
    #[error("the lock is taken")]
    Taken(Option<Holder>),
    /// Somebody had it for as long as it was waited for.
    #[error("the lock was waited for in vain")]
    TimedOut(Option<Holder>),
    /// As many wait for it as may.
    #[error("too many wait for the lock")]
    QueueFull,
    /// The token holds this lock already, but for another owner or another time, or it was the last to be released: each time
    /// that a lock is wanted has a token of its own.
    #[error("the token holds this lock for another owner or time, or has released it")]
    TokenReused,
    /// It was waited for, and this process is about to end: [`super::Wakeups::close`].
    #[error("nobody can wait for the lock here any more")]
    Closed,
    /// Nobody holds it: the grant has ended.
    #[error("nobody holds the lock")]
    NotHeld,
    /// Somebody else holds it: the grant has ended, or there never was one.
    #[error("somebody else holds the lock")]
    HeldByOther(Holder),
    /// Redis. After [`StoreError::Lost`] a grant may stand that nobody heard of: asking again with the same token finds it,
    /// and if nobody does it is taken back as soon as Redis answers.
    #[error(transparent)]
    Store(#[from] StoreError),
}
