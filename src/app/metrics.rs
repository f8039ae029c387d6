use crate::http::HttpMetrics;
use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounterVec};
use std::sync::Arc;

/// The metrics that belong to no slice. Each slice registers its own.
#[derive(Debug)]
pub(super) struct Metrics {
    pub registry: MetricsRegistry,
    pub http: Arc<HttpMetrics>,
    /// Restarts of long-lived tasks after a panic, by task.
    pub task_restarts: IntCounterVec,
}

impl Metrics {
    /// Registers them, all at zero.
    pub fn register() -> Result<Self, Error> {
        let registry = MetricsRegistry::default();
        Ok(Self {
            http: Arc::new(HttpMetrics::register(&registry)?),
            task_restarts: registry.counters(
                "fleetpulse_task_restarts_total",
                "Starts of a long-lived task after a panic",
                &["task"],
            )?,
            registry,
        })
    }
}
