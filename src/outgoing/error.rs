use std::error::Error;
use std::iter::successors;
use std::time::Duration;

/// Why a call failed. No variant contains the URL, because it may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host, or the target of its redirect, is not on the public Internet, and is not allowed by the settings.
    #[error("the address is not on the public Internet; add its network to OUTGOING_ALLOW to allow it")]
    Forbidden,
    /// The host failed recently and is not called for this time.
    #[error("the host failed recently, and is not called for {} ms", .0.as_millis())]
    Open(Duration),
    /// The host did not answer in time; it may have received the call.
    #[error("the host did not answer in time")]
    TimedOut,
    /// There was no connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke, or the response is not HTTP; the host may have received the call.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// None of the addresses of the name may be called.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address that may be called; see OUTGOING_ALLOW")]
pub(super) struct Forbidden;

impl CallError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if causes(&error).any(<dyn Error>::is::<Forbidden>) {
            Self::Forbidden
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            // The last cause is the most specific one.
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
