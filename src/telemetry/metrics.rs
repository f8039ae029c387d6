use super::process;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Everything that `/metrics` shows. Fields are the instruments; who measures holds the one it needs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Time to answer, by route.
    pub request_seconds: HistogramVec,
    /// Answers of 400 and above, by route and status.
    pub request_errors: IntCounterVec,
    /// Fixes taken in, by kind and outcome (`stored`, `stale`, `buffered`, `rejected`).
    pub fixes: IntCounterVec,
    /// Age of a fix when it is taken in.
    pub fix_age_seconds: Histogram,
    /// Fixes that the writers hold: those that wait, and those on their way to Redis.
    pub writer_queued: IntGauge,
    /// Fixes in one script call.
    pub writer_batch: Histogram,
    /// Time from sending a batch to Redis to its answer.
    pub redis_seconds: Histogram,
    /// Whether Redis answers (1) or is away (0).
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
    /// Sessions created.
    pub sessions_created: IntCounter,
    /// Tokens looked at, by outcome (`valid`, `unknown`, `reused`).
    pub session_validations: IntCounterVec,
    /// Sessions ended because a token that had been replaced was used again.
    pub sessions_stolen: IntCounter,
    /// Sessions in use lately, of all instances, roughly.
    pub sessions_active: IntGauge,
    /// Checks of limits, by policy and outcome (`allowed`, `denied`, `degraded`: decided without Redis).
    pub limit_checks: IntCounterVec,
    /// Requests to this service that were refused with 429, by policy.
    pub limited_requests: IntCounterVec,
    /// Answers to those who wanted a lock, by outcome (`granted`, `taken`, `timed_out`, `failed`).
    pub lock_acquires: IntCounterVec,
    /// Requests that wait for a lock in this instance.
    pub lock_waiters: IntGauge,
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
        let latency = [
            1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0,
        ];
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let float = |name: &str, help: &str| {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let per_kind = |name: &str, help: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &["kind"])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("fleetpulse_request_seconds", "Time to answer a request").buckets(latency.to_vec()),
            &["route"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let reloads = IntCounter::new("fleetpulse_feed_reloads_total", "Loads of the live index from Redis")?;
        registry.register(Box::new(reloads.clone()))?;
        Ok(Self {
            request_seconds,
            request_errors: counters(
                "fleetpulse_request_errors_total",
                "Requests answered with 400 and above",
                &["route", "status"],
            )?,
            fixes: counters("fleetpulse_fixes_total", "Fixes taken in", &["kind", "outcome"])?,
            fix_age_seconds: histogram(
                "fleetpulse_fix_age_seconds",
                "Age of a fix when it is taken in",
                &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0],
            )?,
            writer_queued: gauge("fleetpulse_writer_queued", "Fixes that wait for the answer of Redis")?,
            writer_batch: histogram(
                "fleetpulse_writer_batch_fixes",
                "Fixes in one script call",
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
            )?,
            redis_seconds: histogram(
                "fleetpulse_redis_write_seconds",
                "Time that Redis takes for a batch",
                &latency,
            )?,
            redis_up: gauge("fleetpulse_redis_up", "Whether Redis answers")?,
            redis_cpu_seconds: float("fleetpulse_redis_cpu_seconds_total", "CPU time used by Redis")?,
            live_entities: per_kind("fleetpulse_live_entities", "Entities in the live index")?,
            live_bytes: per_kind("fleetpulse_live_bytes", "Memory of the live index")?,
            unsaved: per_kind("fleetpulse_unsaved_fixes", "Newest fixes that Redis does not have yet")?,
            expired: counters("fleetpulse_expired_total", "Entities whose time was over", &["kind"])?,
            feed_lag_seconds: histogram("fleetpulse_feed_lag_seconds", "Age of an update on arrival", &latency)?,
            sessions_created: counter("fleetpulse_sessions_created_total", "Sessions created")?,
            session_validations: counters(
                "fleetpulse_session_validations_total",
                "Tokens of sessions looked at",
                &["outcome"],
            )?,
            sessions_stolen: counter(
                "fleetpulse_sessions_stolen_total",
                "Sessions ended because a replaced token was used again",
            )?,
            sessions_active: gauge(
                "fleetpulse_sessions_active",
                "Sessions of all instances in use lately, roughly",
            )?,
            limit_checks: counters(
                "fleetpulse_limit_checks_total",
                "Checks of limits",
                &["policy", "outcome"],
            )?,
            limited_requests: counters(
                "fleetpulse_limited_requests_total",
                "Requests refused with 429",
                &["policy"],
            )?,
            lock_acquires: counters(
                "fleetpulse_lock_acquires_total",
                "Answers to those who wanted a lock",
                &["outcome"],
            )?,
            lock_waiters: gauge("fleetpulse_lock_waiters", "Requests that wait for a lock")?,
            process_cpu_seconds: float("process_cpu_seconds_total", "CPU time used by this process")?,
            process_resident_bytes: gauge("process_resident_memory_bytes", "Resident memory of this process")?,
            reloads,
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
