use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge};

/// The metrics of the sessions slice.
#[derive(Debug, Clone)]
pub struct SessionMetrics {
    /// Sessions created.
    pub created: IntCounter,
    /// Tokens validated, by outcome (`valid`, `unknown`, `reused`).
    pub validations: IntCounterVec,
    /// Sessions ended because a token that had been replaced was used again.
    pub stolen: IntCounter,
    /// Sessions of all instances that were recently in use, approximately.
    pub active: IntGauge,
    /// Sessions of all instances, by the last count.
    pub open: IntGauge,
}

impl SessionMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            created: registry.counter("fleetpulse_sessions_created_total", "Sessions created")?,
            validations: registry.counters(
                "fleetpulse_session_validations_total",
                "Tokens of sessions validated",
                &["outcome"],
            )?,
            stolen: registry.counter(
                "fleetpulse_sessions_stolen_total",
                "Sessions ended because a replaced token was used again",
            )?,
            open: registry.gauge("fleetpulse_sessions_open", "Sessions of all instances")?,
            active: registry.gauge(
                "fleetpulse_sessions_active",
                "Sessions of all instances recently in use, approximately",
            )?,
        })
    }
}
