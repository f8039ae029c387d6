//! What all workers of a process share, and the outcome of a fetch.

use super::fault::StoreFault;
use super::metrics::ResponseMetrics;
use super::options::ResponseOptions;
use super::single_flight::SingleFlight;
use crate::cache::Marks;
use crate::ids::Id;
use actix_web::http::StatusCode;
use bytes::Bytes;
use std::sync::Arc;

/// Identifies a response: its namespace and its key.
pub type ResponseKey = (Id, String);

/// What all workers of a process share.
#[derive(Debug)]
pub struct Shared {
    options: ResponseOptions,
    pub(super) single_flight: Arc<SingleFlight<ResponseKey, Outcome>>,
    pub(super) metrics: ResponseMetrics,
}

/// The outcome of a fetch, for its followers.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A response for all followers.
    Shared(SharedResponse),
    /// A response for the leader's client only.
    NotShared,
    /// No response that followers may take: it may have been invalidated before they arrived, or vary on headers in which they differ.
    /// Followers look up the key again.
    Retry,
}

/// A response for several requests.
#[derive(Debug, Clone)]
pub struct SharedResponse {
    /// The response, encoded as it is stored.
    pub bytes: Bytes,
    /// The status that the handler answered with.
    pub handler_status: StatusCode,
    /// Whether it is stored.
    pub stored: bool,
    /// The invalidations that this process had received when the fetch began; `None` if the response is stored, or an error.
    pub(super) baseline: Option<Baseline>,
}

/// The invalidations that this process had received before the handler was called.
#[derive(Debug, Clone)]
pub(super) struct Baseline {
    pub marks: Marks,
    /// The fault of Redis at that time, if there was one.
    pub store_fault: Option<StoreFault>,
}

impl Shared {
    /// Creates the shared state of a process.
    #[must_use]
    pub fn new(options: ResponseOptions, metrics: &ResponseMetrics) -> Arc<Self> {
        Arc::new(Self {
            options,
            single_flight: Arc::default(),
            metrics: metrics.clone(),
        })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &ResponseOptions {
        &self.options
    }
}
