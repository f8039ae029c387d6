use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

/// An attempt of a call; see [`ClientBuilder::observe`](crate::ClientBuilder::observe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the attempt in its call, from 1.
    pub number: u32,
    /// The time from the start of the attempt to the end of the answer, or to the failure. It includes opening a connection if none is
    /// open.
    pub latency: Duration,
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// The delay before the next attempt; `None` if the call ends with this attempt.
    pub next_in: Option<Duration>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The service answered with this HTTP status.
    Status(u16),
    /// The connection could not be opened.
    NotConnected,
    /// No complete answer arrived in time.
    Timeout,
    /// The connection broke before the answer was complete.
    Broken,
    /// The answer is larger than [`ClientBuilder::max_answer_bytes`](crate::ClientBuilder::max_answer_bytes).
    AnswerTooLarge,
}

impl AttemptOutcome {
    /// Returns the outcome of an attempt without a complete answer.
    pub(crate) fn of_transport(error: &reqwest::Error) -> Self {
        // An error can be both: the time to open a connection is limited too.
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() || error.is_builder() {
            Self::NotConnected
        } else {
            Self::Broken
        }
    }
}

/// The function that gets each attempt.
#[derive(Clone)]
pub struct Observer(pub Arc<dyn Fn(&Attempt) + Send + Sync>);

impl Debug for Observer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}
