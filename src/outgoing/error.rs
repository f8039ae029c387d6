use std::error::Error;
use std::iter::successors;
use std::time::Duration;

/// Why a call brought no answer. Nothing here holds the URL: it may carry a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host, or where it redirects to, is not on the public Internet, and not allowed for.
    #[error("the address is not allowed: it is not on the public Internet (OUTGOING_ALLOW)")]
    Forbidden,
    /// The host failed lately and is left alone for so long.
    #[error("the host failed lately, and is left alone for {} ms more", .0.as_millis())]
    Open(Duration),
    /// It took too long; the other side may have got the call.
    #[error("no answer in time")]
    TimedOut,
    /// There was no connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or what came back is not HTTP; the other side may have got the call.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// Every address of the name is one that may not be called.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be called")]
pub(super) struct Forbidden;

impl CallError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if causes(&error).any(<dyn Error>::is::<Forbidden>) {
            Self::Forbidden
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            // The last cause is the one that says something.
            let cause = causes(&error)
                .last()
                .map_or_else(|| error.to_string(), ToString::to_string);
            if error.is_connect() {
                Self::Connect(cause)
            } else {
                Self::Failed(cause)
            }
        }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(error.source(), |cause| (*cause).source())
}
