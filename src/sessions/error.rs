use crate::json::JsonFault;
use crate::store::StoreError;
use std::time::Duration;

/// Why a call about a session failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The token does not open a session: it never did, or its session has ended.
    #[error("there is no such session, or it has ended; sign in again")]
    Unknown,
    /// The token was replaced before and is no longer accepted. Two parties have tokens of this session, so one of them may have stolen
    /// it. The session is ended.
    #[error("the token was replaced before, so its session is ended; sign in again")]
    Reused,
    /// The token was replaced, and a later one is in use. It is accepted for its grace period, and cannot be rotated again.
    #[error("the token was replaced before, and a later one is in use; rotate the later one")]
    Superseded,
    /// The session was rotated so often that too many of its replaced tokens are still accepted.
    #[error("the token was replaced too often in a short time; use the current one, and try again later")]
    TooManyRotations {
        /// When it can be rotated again.
        after: Duration,
    },
    /// The data are at another version than the caller has read.
    #[error("the data were changed by another call; read the session, and repeat the change with its version")]
    Conflict {
        /// The current version.
        version: u64,
    },
    /// The data would be larger than [`super::MAX_DATA`].
    #[error("the data would have more than 16384 bytes; store less")]
    TooMuchData,
    /// The data would be nested deeper than [`super::MAX_NESTING`].
    #[error("the data would be nested more than 32 deep; nest them less")]
    TooDeep,
    /// The given data are not a JSON object.
    #[error(transparent)]
    NoData(JsonFault),
    /// The idempotency key was used with another body.
    #[error("the same key was used with another body; use a new key")]
    KeyReused,
    /// There are `SESSIONS_MAX` sessions.
    #[error("there are SESSIONS_MAX sessions; try again when some have ended, or raise SESSIONS_MAX")]
    TooMany,
    /// Too many sessions of the subject were created at the same time.
    #[error("too many sessions of the subject are being created at the same time; try again")]
    Busy,
    /// The system's generator of random numbers failed.
    #[error("the operating system returned no random numbers")]
    Random(#[from] rand::rngs::SysError),
    /// Redis.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns an error that names the unexpected part, without its text, which may be confidential.
pub(super) fn not_understood(what: &str) -> StoreError {
    StoreError::Answer(format!("sessions: {what}"))
}
