//! What `/metrics` shows.

mod connections;
mod make;
mod present;
mod slices;

pub use connections::ConnectionMetrics;
pub use present::Present;
pub use slices::{CacheMetrics, JobMetrics, LimitMetrics, LockMetrics, ResponseMetrics, SessionMetrics, WorkerMetrics};

use super::process;
use make::Make;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

/// Everything that `/metrics` shows. Fields are the instruments; who measures holds the one it needs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Time to answer, by route.
    pub request_seconds: HistogramVec,
    /// Answers of 400 and above, by route and status.
    pub request_errors: IntCounterVec,
    /// Requests that were refused before they reached a route, by reason.
    pub refused_requests: IntCounterVec,
    /// Of connections, and of the memory that they take.
    pub connections: ConnectionMetrics,
    /// Fixes taken in, by kind and outcome (`stored`, `stale`, `buffered`, `rejected`).
    pub fixes: IntCounterVec,
    /// Age of a fix when it is taken in; of a batch, that of its first.
    pub fix_age_seconds: Histogram,
    /// Fixes that the writers hold: those that wait, and those on their way to Redis.
    pub writer_queued: IntGauge,
    /// Fixes in one script call.
    pub writer_batch: Histogram,
    /// Time from sending a batch to Redis to its answer.
    pub redis_seconds: Histogram,
    /// Whether Redis answers and takes writes (1) or not (0).
    pub redis_up: IntGauge,
    /// CPU time of Redis itself.
    pub redis_cpu_seconds: Gauge,
    /// Entities in the live index, by kind.
    pub live_entities: IntGaugeVec,
    /// Bytes that the live index holds, by kind.
    pub live_bytes: IntGaugeVec,
    /// Newest fixes not yet in Redis, by kind.
    pub unsaved: IntGaugeVec,
    /// Entities taken out because their time was over, by kind.
    pub expired: IntCounterVec,
    /// Time from the sending of an update to its arrival at this instance.
    pub feed_lag_seconds: Histogram,
    /// Loads of the whole live index from Redis.
    pub reloads: IntCounter,
    /// Of the sessions slice.
    pub sessions: SessionMetrics,
    /// Of the limits slice.
    pub limits: LimitMetrics,
    /// Of the locks slice.
    pub locks: LockMetrics,
    /// Of the cache slice.
    pub cache: CacheMetrics,
    /// Of the jobs slice.
    pub jobs: JobMetrics,
    /// Attempts at jobs by pools of this process, by queue and outcome; see [`WorkerMetrics`].
    pub worker_jobs: IntCounterVec,
    /// Of the HTTP response cache.
    pub responses: ResponseMetrics,
    /// Restarts of long-lived tasks after a panic, by task.
    pub task_restarts: IntCounterVec,
    process_cpu_seconds: Gauge,
    process_resident_bytes: IntGauge,
}

impl Metrics {
    /// A fresh set, all at zero.
    ///
    /// # Errors
    /// If two instruments share a name; a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Make(&registry);
        let latency = [
            1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0,
        ];
        Ok(Self {
            request_seconds: make.add(HistogramVec::new(
                HistogramOpts::new("fleetpulse_request_seconds", "Time to answer a request").buckets(latency.to_vec()),
                &["route"],
            ))?,
            request_errors: make.counters(
                "fleetpulse_request_errors_total",
                "Requests answered with 400 and above",
                &["route", "status"],
            )?,
            refused_requests: make.counters(
                "fleetpulse_http_refused_total",
                "Requests refused before they reached a route",
                &["reason"],
            )?,
            connections: ConnectionMetrics::new(&make)?,
            fixes: make.counters("fleetpulse_fixes_total", "Fixes taken in", &["kind", "outcome"])?,
            fix_age_seconds: make.histogram(
                "fleetpulse_fix_age_seconds",
                "Age of a fix when it is taken in",
                &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0],
            )?,
            writer_queued: make.gauge("fleetpulse_writer_queued", "Fixes that wait for the answer of Redis")?,
            writer_batch: make.histogram(
                "fleetpulse_writer_batch_fixes",
                "Fixes in one script call",
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
            )?,
            redis_seconds: make.histogram(
                "fleetpulse_redis_write_seconds",
                "Time that Redis takes for a batch",
                &latency,
            )?,
            redis_up: make.gauge("fleetpulse_redis_up", "1 if Redis answers and takes writes, else 0")?,
            redis_cpu_seconds: make.float("fleetpulse_redis_cpu_seconds_total", "CPU time used by Redis")?,
            live_entities: make.gauges("fleetpulse_live_entities", "Entities in the live index", &["kind"])?,
            live_bytes: make.gauges("fleetpulse_live_bytes", "Memory of the live index", &["kind"])?,
            unsaved: make.gauges(
                "fleetpulse_unsaved_fixes",
                "Newest fixes that Redis does not have yet",
                &["kind"],
            )?,
            expired: make.counters("fleetpulse_expired_total", "Entities whose time was over", &["kind"])?,
            feed_lag_seconds: make.histogram("fleetpulse_feed_lag_seconds", "Age of an update on arrival", &latency)?,
            reloads: make.counter("fleetpulse_feed_reloads_total", "Loads of the live index from Redis")?,
            sessions: SessionMetrics::new(&make)?,
            limits: LimitMetrics::new(&make)?,
            locks: LockMetrics::new(&make)?,
            cache: CacheMetrics::new(&make)?,
            jobs: JobMetrics::new(&make)?,
            worker_jobs: make.counters(
                "fleetpulse_worker_jobs_total",
                "Attempts at jobs by the pools of this process",
                &["queue", "outcome"],
            )?,
            responses: ResponseMetrics::new(&make)?,
            task_restarts: make.counters(
                "fleetpulse_task_restarts_total",
                "Starts of a long-lived task after a panic",
                &["task"],
            )?,
            process_cpu_seconds: make.float("process_cpu_seconds_total", "CPU time used by this process")?,
            process_resident_bytes: make.gauge("process_resident_memory_bytes", "Resident memory of this process")?,
            registry,
        })
    }

    /// All of it in Prometheus's text format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if let Some(seconds) = process::cpu_seconds() {
            self.process_cpu_seconds.set(seconds);
        }
        if let Some(bytes) = process::resident_bytes() {
            self.process_resident_bytes
                .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let mut text = Vec::with_capacity(16 * 1024);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be encoded");
        }
        text
    }
}
