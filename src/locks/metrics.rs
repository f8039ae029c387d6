use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounterVec, IntGauge};

/// The metrics of the locks slice.
#[derive(Debug, Clone)]
pub struct LockMetrics {
    /// Requests to acquire a lock, by outcome (`granted`, `taken`, `timed_out`, `closed`, `gone`, `failed`).
    pub acquires: IntCounterVec,
    /// Requests that wait for a lock in this instance.
    pub waiters: IntGauge,
}

impl LockMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            acquires: registry.counters(
                "fleetpulse_lock_acquires_total",
                "Requests to acquire a lock",
                &["outcome"],
            )?,
            waiters: registry.gauge("fleetpulse_lock_waiters", "Requests that wait for a lock")?,
        })
    }
}
