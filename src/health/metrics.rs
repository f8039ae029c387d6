use crate::telemetry::{MetricsRegistry, ProcessMetrics};
use prometheus::{Error, Gauge, IntGauge};

/// Of the health slice.
#[derive(Debug, Clone)]
pub struct HealthMetrics {
    /// Whether Redis answers and takes writes (1) or not (0).
    pub redis_up: IntGauge,
    /// CPU time of Redis itself.
    pub redis_cpu_seconds: Gauge,
    /// Of this process.
    pub process: ProcessMetrics,
}

impl HealthMetrics {
    /// Registers them, all at zero.
    ///
    /// # Errors
    /// If another instrument has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            redis_up: registry.gauge("fleetpulse_redis_up", "1 if Redis answers and takes writes, else 0")?,
            redis_cpu_seconds: registry.float("fleetpulse_redis_cpu_seconds_total", "CPU time used by Redis")?,
            process: ProcessMetrics::register(registry)?,
        })
    }
}
