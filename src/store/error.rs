use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a call to Redis failed, by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no connection; nothing was sent.
    #[error("Redis is unavailable")]
    Unavailable,
    /// The connection broke or timed out after the command may have been sent. It may or may not have been executed.
    #[error("the connection to Redis was lost")]
    Lost(#[source] RedisError),
    /// Redis refused the command; it was not executed.
    #[error("Redis refused{}", code(.0))]
    Refused(#[source] RedisError),
    /// Redis is nearly full, and the call would store something new; nothing was sent. See [`Store::room`](super::Store::room).
    #[error("Redis is nearly full and nothing new is stored; delete data, or raise its maxmemory")]
    Full,
    /// The task that made the call panicked, or ended with its thread: the call may or may not have been executed.
    #[error("the call was interrupted by an internal error; try again")]
    Interrupted,
    /// Redis sent a reply that this release does not expect.
    #[error("unexpected reply of Redis: {0}; check that no other program writes under REDIS_KEY_PREFIX")]
    Answer(String),
}

/// Returns the code of an error, to be appended to a message.
fn code(error: &RedisError) -> String {
    error.code().map(|code| format!(" ({code})")).unwrap_or_default()
}

impl StoreError {
    /// Classifies an error of the client library.
    #[must_use]
    pub(super) fn classify(error: RedisError) -> Self {
        if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
        {
            return Self::Lost(error);
        }
        match error.kind() {
            // A server that is loading, demoted or disconnected from its primary cannot serve this process: connect again.
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown,
            ) => Self::Lost(error),
            _ => Self::Refused(error),
        }
    }

    /// Returns whether Redis refused for a reason that an operator must remove: it lacks memory, permissions or disk space, or is a replica.
    /// Waiting does not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Lost(error) | Self::Refused(error) => error.code().is_some_and(|code| code != "LOADING"),
            _ => false,
        }
    }

    /// Returns whether the connection can no longer be used.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// Returns whether the reply was late: the command may still be in transit to Redis.
    #[must_use]
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Lost(error) if error.is_timeout())
    }

    /// Returns whether the connection was lost because the peer closed it, and not because a reply was late.
    #[must_use]
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Lost(error) if error.is_connection_dropped())
    }
}
