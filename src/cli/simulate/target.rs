//! The service that a simulation calls, and the settings of the clients that call it.

use super::SimulateError;
use crate::cli::client::{Client as Connection, Endpoint, Limits};
use crate::tracking::Kind;
use fleetpulse_client::{Client, ClientBuilder, Error, RetryPolicy, tracking};
use std::time::Duration;

/// The most attempts of a request.
const ATTEMPTS: u32 = 6;
/// The delay before the first retry if the service names none, and the longest delay that it can name.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The service, and the entities that are pushed to it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    url: String,
    /// The kind, as the client names it.
    pub(super) kind: tracking::Kind,
    /// The time limit of a request.
    timeout: Duration,
}

impl Target {
    pub(super) fn new(url: &str, kind: Kind, timeout: Duration) -> Self {
        let kind = match kind {
            Kind::Drivers => tracking::Kind::Drivers,
            Kind::Vehicles => tracking::Kind::Vehicles,
            Kind::Users => tracking::Kind::Users,
        };
        Self {
            url: url.to_owned(),
            kind,
            timeout,
        }
    }

    /// Checks that a connection can be opened, and closes it again. A client opens its connection only for a call, and retries that for
    /// some seconds.
    pub(super) async fn reach(&self) -> Result<(), SimulateError> {
        let unreachable = |source| SimulateError::Unreachable {
            url: self.url.clone(),
            source,
        };
        let endpoint = Endpoint::parse(&self.url).map_err(unreachable)?;
        let limits = Limits {
            timeout: self.timeout,
            ..Limits::default()
        };
        Connection::new(endpoint, limits).connect().await.map_err(unreachable)
    }

    /// Returns the settings of a client. A limit of the service (429) is not waited for, so that it shows in the summary.
    pub(super) fn builder(&self) -> ClientBuilder {
        let policy = RetryPolicy {
            max_attempts: ATTEMPTS,
            base_backoff: PAUSE,
            max_backoff: LONGEST_PAUSE,
            max_retry_after: LONGEST_PAUSE,
            retry_rate_limited: false,
            // Long enough for all attempts.
            total_timeout: self.timeout.saturating_add(LONGEST_PAUSE).saturating_mul(ATTEMPTS),
        };
        Client::builder(&self.url)
            .no_proxy()
            .timeout(self.timeout)
            .connect_timeout(self.timeout)
            .retry(policy)
    }

    /// Returns the error of a client.
    pub(super) fn error(&self, source: Error) -> SimulateError {
        SimulateError::Client {
            url: self.url.clone(),
            source,
        }
    }
}
