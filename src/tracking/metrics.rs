use crate::telemetry::{LATENCY, MetricsRegistry};
use prometheus::{Error, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// The metrics of the tracking slice.
#[derive(Debug, Clone)]
pub struct TrackingMetrics {
    /// Received fixes, by kind and outcome (`stored`, `stale`, `buffered`, `rejected`).
    pub fixes: IntCounterVec,
    /// Age of a fix on receipt; of a batch, that of its first fix.
    pub fix_age_seconds: Histogram,
    /// Fixes that the writers hold: those that wait, and those being written.
    pub writer_queued: IntGauge,
    /// Fixes in one script call.
    pub writer_batch: Histogram,
    /// Time from sending a batch to Redis to its reply.
    pub redis_seconds: Histogram,
    /// Entities in the live index, by kind.
    pub live_entities: IntGaugeVec,
    /// Bytes that the live index holds, by kind.
    pub live_bytes: IntGaugeVec,
    /// Newest fixes not yet in Redis, by kind.
    pub unsaved: IntGaugeVec,
    /// Expired entities, by kind.
    pub expired: IntCounterVec,
    /// Time from the sending of an update to its arrival at this instance.
    pub feed_lag_seconds: Histogram,
    /// Loads of the whole live index from Redis.
    pub reloads: IntCounter,
}

impl TrackingMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            fixes: registry.counters("fleetpulse_fixes_total", "Fixes received", &["kind", "outcome"])?,
            fix_age_seconds: registry.histogram(
                "fleetpulse_fix_age_seconds",
                "Age of a fix on receipt",
                &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0],
            )?,
            writer_queued: registry.gauge("fleetpulse_writer_queued", "Fixes that wait for the reply of Redis")?,
            writer_batch: registry.histogram(
                "fleetpulse_writer_batch_fixes",
                "Fixes in one script call",
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
            )?,
            redis_seconds: registry.histogram(
                "fleetpulse_redis_write_seconds",
                "Time that Redis takes for a batch",
                &LATENCY,
            )?,
            live_entities: registry.gauges("fleetpulse_live_entities", "Entities in the live index", &["kind"])?,
            live_bytes: registry.gauges("fleetpulse_live_bytes", "Memory of the live index", &["kind"])?,
            unsaved: registry.gauges(
                "fleetpulse_unsaved_fixes",
                "Newest fixes that Redis does not have yet",
                &["kind"],
            )?,
            expired: registry.counters("fleetpulse_expired_total", "Entities that expired", &["kind"])?,
            feed_lag_seconds: registry.histogram(
                "fleetpulse_feed_lag_seconds",
                "Age of an update on arrival",
                &LATENCY,
            )?,
            reloads: registry.counter("fleetpulse_feed_reloads_total", "Loads of the live index from Redis")?,
        })
    }
}
