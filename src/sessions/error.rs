use crate::http::{FieldError, Problem};
use crate::json::JsonFault;
use crate::store::StoreError;
use std::time::Duration;

/// `Retry-After` while there are as many sessions as there may be, seconds: by then they have been counted again.
const RETRY_FULL_S: u32 = 10;

/// Why a call about a session was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The token opens nothing: it never did, or its session has ended.
    #[error("there is no such session, or it has ended; sign in again")]
    Unknown,
    /// The token was replaced before and is honoured no more: two hold tokens of this session, so one of them has stolen
    /// theirs. The session is ended.
    #[error("the token was replaced before, so its session is ended; sign in again")]
    Reused,
    /// The token was replaced, and what replaced it is in use: it is honoured for its grace, and cannot be rotated again.
    #[error("the token was replaced before, and a later one is in use: rotate that")]
    Superseded,
    /// The session was rotated so often that too many of its replaced tokens are honoured still.
    #[error("the token was replaced too often lately; use the one that you have and try again later")]
    TooManyRotations {
        /// When there is room again.
        after: Duration,
    },
    /// The data are not those of the version that the caller has read.
    #[error("the data were changed meanwhile; read the session and repeat the change with its version")]
    Conflict {
        /// The version that is there.
        version: u64,
    },
    /// The data would be larger than [`super::MAX_DATA`].
    #[error("the data would have more than 16384 bytes; store less")]
    TooMuchData,
    /// The data would be nested deeper than [`super::MAX_NESTING`].
    #[error("the data would be nested more than 32 deep; nest them less")]
    TooDeep,
    /// What was given as data is none.
    #[error(transparent)]
    NoData(JsonFault),
    /// The idempotency key was used with another body.
    #[error("the same key was used with another body; use a new key")]
    KeyReused,
    /// There are as many sessions as there may be.
    #[error("there are SESSIONS_MAX sessions; try again when some have ended, or raise SESSIONS_MAX")]
    TooMany,
    /// Too many sessions of the subject were created at the same time.
    #[error("too many sessions of the subject are created at once; try again")]
    Busy,
    /// The system's generator of random numbers failed.
    #[error("the system gives no random numbers")]
    Random(#[from] rand::rngs::SysError),
    /// Redis.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown | SessionError::Reused => Self::unauthenticated(error.to_string()),
            SessionError::Superseded => {
                Self::conflict("token_superseded", "Another token is in use", error.to_string())
            }
            SessionError::TooManyRotations { after } => {
                let seconds = u32::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
                Self::too_many_requests(error.to_string(), seconds.max(1))
            }
            SessionError::Conflict { version } => Self::conflict(
                "version_conflict",
                "It was changed meanwhile",
                format!("the data are at version {version}: read them, and merge into those"),
            )
            .with("version", version),
            SessionError::TooMuchData | SessionError::TooDeep | SessionError::NoData(_) => {
                Self::validation_failed(vec![FieldError::new("data", error.to_string())])
            }
            SessionError::KeyReused => Self::invalid_parameter("Idempotency-Key", error.to_string()),
            SessionError::TooMany => Self::too_many(
                "too_many_sessions",
                "There are too many sessions",
                error.to_string(),
                RETRY_FULL_S,
            ),
            SessionError::Busy => Self::unavailable(error.to_string(), 1),
            SessionError::Random(cause) => {
                tracing::error!(%cause, "the system gives no random numbers");
                Self::unavailable("no session can be created now", 5)
            }
            SessionError::Store(error) => error.into(),
        }
    }
}
