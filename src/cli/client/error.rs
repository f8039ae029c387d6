use std::io;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// This client cannot use the URL.
    #[error("{url:?} is not usable: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// The reason.
        reason: &'static str,
    },
    /// No connection could be opened.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The time limit passed.
    #[error("no answer in time")]
    Timeout,
    /// The server closed the connection before it answered.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
    /// The answer is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is not HTTP/1.
    #[error("the answer is not HTTP/1: {0}")]
    Malformed(&'static str),
}

impl ClientError {
    /// Returns a short name for counting errors by kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Url { .. } => "bad url",
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Io(_) => "i/o",
            Self::TooLarge(_) => "too large",
            Self::Malformed(_) => "malformed",
        }
    }

    /// Converts the errors of a connection that was closed while it was idle to [`ClientError::Closed`].
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                Self::Closed
            }
            _ => Self::Io(error),
        }
    }
}
