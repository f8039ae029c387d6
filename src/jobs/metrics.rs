use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge};

/// The metrics of the jobs slice.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    /// Jobs added over HTTP, by outcome (`created`, `existing`, `replaced`, `debounced`).
    pub added: IntCounterVec,
    /// Jobs leased over HTTP.
    pub leased: IntCounter,
    /// Leases ended over HTTP, by the state of the job afterwards (`done`, `delayed`, `ready`, `dead`), `not_yours` or `unknown`.
    pub settled: IntCounterVec,
    /// Requests of this instance that wait for jobs.
    pub waiters: IntGauge,
    /// Attempts by pools of this process, by queue and outcome; see [`WorkerMetrics`].
    pub attempts: IntCounterVec,
}

impl JobMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of the names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            added: registry.counters("fleetpulse_jobs_added_total", "Jobs added over HTTP", &["outcome"])?,
            leased: registry.counter("fleetpulse_jobs_leased_total", "Jobs leased over HTTP")?,
            settled: registry.counters(
                "fleetpulse_jobs_settled_total",
                "Leases of jobs ended over HTTP",
                &["outcome"],
            )?,
            waiters: registry.gauge("fleetpulse_job_waiters", "Requests that wait for jobs")?,
            attempts: registry.counters(
                "fleetpulse_worker_jobs_total",
                "Attempts at jobs by the pools of this process",
                &["queue", "outcome"],
            )?,
        })
    }
}

/// The metrics of a pool of workers of this process: the outcomes of attempts.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    /// The handler succeeded.
    pub completed: IntCounter,
    /// The handler failed.
    pub failed: IntCounter,
    /// The handler panicked.
    pub panicked: IntCounter,
    /// The time limit was exceeded.
    pub timed_out: IntCounter,
    /// The lease expired, or the job was cancelled, before the handler ended.
    pub lost: IntCounter,
    /// The lease expired, or the job was cancelled, before the attempt was settled.
    pub late: IntCounter,
    /// The job was released because the service stops.
    pub released: IntCounter,
}

impl WorkerMetrics {
    /// Returns the metrics of the pool of a queue from the counters of all pools.
    #[must_use]
    pub fn of(counters: &IntCounterVec, queue: &str) -> Self {
        let of = |outcome| counters.with_label_values(&[queue, outcome]);
        Self {
            completed: of("completed"),
            failed: of("failed"),
            panicked: of("panicked"),
            timed_out: of("timed_out"),
            lost: of("lost"),
            late: of("late"),
            released: of("released"),
        }
    }
}
