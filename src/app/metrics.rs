use crate::cache::CacheMetrics;
use crate::health::HealthMetrics;
use crate::http::HttpMetrics;
use crate::jobs::JobMetrics;
use crate::limits::LimitMetrics;
use crate::locks::LockMetrics;
use crate::response_cache::ResponseMetrics;
use crate::sessions::SessionMetrics;
use crate::telemetry::MetricsRegistry;
use crate::tracking::TrackingMetrics;
use prometheus::{Error, IntCounterVec};
use std::sync::Arc;

/// The instruments of all components of the service.
#[derive(Debug)]
pub(super) struct Metrics {
    pub registry: MetricsRegistry,
    pub http: Arc<HttpMetrics>,
    pub health: HealthMetrics,
    pub tracking: TrackingMetrics,
    pub sessions: SessionMetrics,
    pub limits: LimitMetrics,
    pub locks: LockMetrics,
    pub cache: CacheMetrics,
    pub responses: ResponseMetrics,
    pub jobs: JobMetrics,
    /// Restarts of long-lived tasks after a panic, by task.
    pub task_restarts: IntCounterVec,
}

impl Metrics {
    /// Registers all instruments.
    pub fn register() -> Result<Self, Error> {
        let registry = MetricsRegistry::default();
        Ok(Self {
            http: Arc::new(HttpMetrics::register(&registry)?),
            health: HealthMetrics::register(&registry)?,
            tracking: TrackingMetrics::register(&registry)?,
            sessions: SessionMetrics::register(&registry)?,
            limits: LimitMetrics::register(&registry)?,
            locks: LockMetrics::register(&registry)?,
            cache: CacheMetrics::register(&registry)?,
            responses: ResponseMetrics::register(&registry)?,
            jobs: JobMetrics::register(&registry)?,
            task_restarts: registry.counters(
                "fleetpulse_task_restarts_total",
                "Starts of a long-lived task after a panic",
                &["task"],
            )?,
            registry,
        })
    }
}
