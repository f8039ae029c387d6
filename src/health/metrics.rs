use crate::telemetry::{MetricsRegistry, ProcessMetrics};
use prometheus::{Error, Gauge, IntGauge};

/// The metrics of the health slice.
#[derive(Debug, Clone)]
pub struct HealthMetrics {
    /// Whether Redis answers and takes writes (1) or not (0).
    pub redis_up: IntGauge,
    /// Memory that Redis uses, bytes.
    pub redis_memory_used: IntGauge,
    /// Memory that Redis may use, bytes; 0 if it is unknown.
    pub redis_memory_most: IntGauge,
    /// CPU time of Redis, seconds.
    pub redis_cpu_seconds: Gauge,
    /// The metrics of this process.
    pub process: ProcessMetrics,
}

impl HealthMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            redis_up: registry.gauge("fleetpulse_redis_up", "1 if Redis answers and takes writes, else 0")?,
            redis_memory_used: registry.gauge("fleetpulse_redis_memory_bytes", "Memory that Redis uses")?,
            redis_memory_most: registry.gauge("fleetpulse_redis_max_memory_bytes", "Memory that Redis may use")?,
            redis_cpu_seconds: registry.float("fleetpulse_redis_cpu_seconds_total", "CPU time used by Redis")?,
            process: ProcessMetrics::register(registry)?,
        })
    }
}
