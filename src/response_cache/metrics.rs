use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter};

/// Of the HTTP response cache: what requests were answered with.
#[derive(Debug, Clone)]
pub struct ResponseMetrics {
    /// Something fresh that was kept.
    pub hits: IntCounter,
    /// Something stale that was kept.
    pub stale: IntCounter,
    /// What the handler was asked for.
    pub misses: IntCounter,
    /// What the handler was asked for by another request at the same time.
    pub collapsed: IntCounter,
    /// What is none of the cache's business.
    pub bypassed: IntCounter,
    /// Of all these, a 304.
    pub not_modified: IntCounter,
}

impl ResponseMetrics {
    /// Registers them, all at zero.
    ///
    /// # Errors
    /// If another instrument has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        let answers = registry.counters(
            "fleetpulse_response_cache_total",
            "Requests to cached routes, by what they were answered with",
            &["outcome"],
        )?;
        let of = |outcome| answers.with_label_values(&[outcome]);
        Ok(Self {
            hits: of("hit"),
            stale: of("stale"),
            misses: of("miss"),
            collapsed: of("collapsed"),
            bypassed: of("bypass"),
            not_modified: registry.counter(
                "fleetpulse_response_cache_not_modified_total",
                "Requests to cached routes answered with 304",
            )?,
        })
    }
}
