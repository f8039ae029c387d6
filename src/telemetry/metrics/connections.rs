use super::make::Make;
use prometheus::{IntCounter, IntGauge};

/// The instruments of the HTTP server's connections.
#[derive(Debug)]
pub struct ConnectionMetrics {
    /// Clients that were cut off because they did not read.
    pub write_timeouts: IntCounter,
    /// Large answers that clients have not read yet.
    pub unsent_bytes: IntGauge,
    /// Large request bodies in memory.
    pub body_bytes: IntGauge,
}

impl ConnectionMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            write_timeouts: make.counter(
                "fleetpulse_http_write_timeouts_total",
                "Clients that were cut off because they did not read",
            )?,
            unsent_bytes: make.gauge(
                "fleetpulse_http_unsent_bytes",
                "Answers above 32 KiB that clients have not read yet",
            )?,
            body_bytes: make.gauge("fleetpulse_http_body_bytes", "Request bodies above 64 KiB in memory")?,
        })
    }
}
