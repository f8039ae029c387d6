use super::model::Holder;
use crate::store::StoreError;

/// Why a lock was not granted, renewed or released.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock is held, and the call does not wait. Without a holder: it is offered to a waiting request.
    #[error("the lock is taken; try again after it expires, or wait for it with wait_ms")]
    Taken(Option<Holder>),
    /// The lock was held for the whole wait.
    #[error("the lock did not become free within wait_ms; try again")]
    TimedOut(Option<Holder>),
    /// The maximum number of requests waits for the lock.
    #[error("too many requests wait for the lock; try again later")]
    QueueFull,
    /// The token already holds this lock for another owner or duration, or was released last: use a new token for each acquisition.
    #[error("the token holds this lock for another owner or time, or has released it; use a new token")]
    TokenReused,
    /// The call waited, and this process is about to stop: [`super::Wakeups::close`].
    #[error("this instance is stopping; use another")]
    Closed,
    /// The lock is free: the grant has ended.
    #[error("the lock is not held: it was released, or has expired; acquire it again")]
    NotHeld,
    /// Another token holds the lock: the grant has ended, or there never was one.
    #[error("the lock is held with another token; stop the work that it protects, and acquire it again")]
    HeldByOther(Holder),
    /// Redis. After [`StoreError::Lost`] there may be a grant whose answer was lost: another call with the same token finds it, and
    /// without such a call it is released as soon as Redis answers.
    #[error(transparent)]
    Store(#[from] StoreError),
}
