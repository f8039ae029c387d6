use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounterVec};

/// The metrics of the limits slice.
#[derive(Debug, Clone)]
pub struct LimitMetrics {
    /// Checks, by policy and outcome (`allowed`, `denied`, `degraded`: decided without Redis).
    pub checks: IntCounterVec,
    /// Requests to this service that were refused with 429, by policy.
    pub refused_requests: IntCounterVec,
}

impl LimitMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            checks: registry.counters(
                "fleetpulse_limit_checks_total",
                "Checks of limits",
                &["policy", "outcome"],
            )?,
            refused_requests: registry.counters(
                "fleetpulse_limited_requests_total",
                "Requests refused with 429",
                &["policy"],
            )?,
        })
    }
}
