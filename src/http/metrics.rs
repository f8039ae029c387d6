use crate::telemetry::{LATENCY, MetricsRegistry};
use prometheus::{Error, HistogramVec, IntCounter, IntCounterVec, IntGauge};

/// The metrics of the HTTP server.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    /// Time to answer, by route.
    pub request_seconds: HistogramVec,
    /// Answers of 400 and above, by route and status.
    pub request_errors: IntCounterVec,
    /// Requests that were refused before they reached a route, by reason.
    pub refused_requests: IntCounterVec,
    /// Clients that were cut off because they did not read.
    pub write_timeouts: IntCounter,
    /// Large answers that clients have not read yet.
    pub unsent_bytes: IntGauge,
    /// Large request bodies in memory.
    pub body_bytes: IntGauge,
}

impl HttpMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            request_seconds: registry.histograms(
                "fleetpulse_request_seconds",
                "Time to answer a request",
                &LATENCY,
                &["route"],
            )?,
            request_errors: registry.counters(
                "fleetpulse_request_errors_total",
                "Requests answered with 400 and above",
                &["route", "status"],
            )?,
            refused_requests: registry.counters(
                "fleetpulse_http_refused_total",
                "Requests refused before they reached a route",
                &["reason"],
            )?,
            write_timeouts: registry.counter(
                "fleetpulse_http_write_timeouts_total",
                "Clients that were cut off because they did not read",
            )?,
            unsent_bytes: registry.gauge(
                "fleetpulse_http_unsent_bytes",
                "Answers above 32 KiB that clients have not read yet",
            )?,
            body_bytes: registry.gauge("fleetpulse_http_body_bytes", "Request bodies above 64 KiB in memory")?,
        })
    }
}
