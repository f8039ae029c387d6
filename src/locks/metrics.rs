use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounterVec, IntGauge};

/// Of the locks slice.
#[derive(Debug, Clone)]
pub struct LockMetrics {
    /// Answers to those who wanted a lock, by outcome (`granted`, `taken`, `timed_out`, `closed`, `gone`, `failed`).
    pub acquires: IntCounterVec,
    /// Requests that wait for a lock in this instance.
    pub waiters: IntGauge,
}

impl LockMetrics {
    /// Registers them, all at zero.
    ///
    /// # Errors
    /// If another instrument has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            acquires: registry.counters(
                "fleetpulse_lock_acquires_total",
                "Answers to those who wanted a lock",
                &["outcome"],
            )?,
            waiters: registry.gauge("fleetpulse_lock_waiters", "Requests that wait for a lock")?,
        })
    }
}
