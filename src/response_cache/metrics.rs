use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter};

/// The metrics of the HTTP response cache: how requests were answered.
#[derive(Debug, Clone)]
pub struct ResponseMetrics {
    /// From a fresh stored response.
    pub hits: IntCounter,
    /// From a stale stored response.
    pub stale: IntCounter,
    /// By the handler.
    pub misses: IntCounter,
    /// By the handler, for another request at the same time.
    pub coalesced: IntCounter,
    /// By the handler, because the cache does not apply to the request.
    pub bypassed: IntCounter,
    /// With 304, counted in addition to the above.
    pub not_modified: IntCounter,
}

impl ResponseMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        let requests = registry.counters(
            "fleetpulse_response_cache_total",
            "Requests to cached routes, by outcome",
            &["outcome"],
        )?;
        let of = |outcome| requests.with_label_values(&[outcome]);
        Ok(Self {
            hits: of("hit"),
            stale: of("stale"),
            misses: of("miss"),
            coalesced: of("coalesced"),
            bypassed: of("bypass"),
            not_modified: registry.counter(
                "fleetpulse_response_cache_not_modified_total",
                "Requests to cached routes answered with 304",
            )?,
        })
    }
}
