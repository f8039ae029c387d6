use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge};

/// Of the jobs slice.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    /// Jobs put in over HTTP, by outcome (`created`, `existing`, `replaced`, `debounced`).
    pub added: IntCounterVec,
    /// Jobs leased over HTTP.
    pub leased: IntCounter,
    /// Leases ended over HTTP, by what the job is then (`done`, `delayed`, `ready`, `dead`), `not_yours` or `unknown`.
    pub settled: IntCounterVec,
    /// Requests that may wait for jobs in this instance.
    pub waiters: IntGauge,
    /// Attempts at jobs by pools of this process, by queue and outcome; see [`WorkerMetrics`].
    pub attempts: IntCounterVec,
}

impl JobMetrics {
    /// Registers them, all at zero.
    ///
    /// # Errors
    /// If another instrument has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            added: registry.counters("fleetpulse_jobs_added_total", "Jobs put in over HTTP", &["outcome"])?,
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

/// Of a pool of workers in this process: how attempts at jobs of its queue ended.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    /// Well.
    pub completed: IntCounter,
    /// The handler said that it could not.
    pub failed: IntCounter,
    /// The handler panicked.
    pub panicked: IntCounter,
    /// It took too long.
    pub timed_out: IntCounter,
    /// The lease was over, or the job cancelled, before the handler ended.
    pub lost: IntCounter,
    /// The same, found when its end was told.
    pub late: IntCounter,
    /// Given back because the service stops.
    pub released: IntCounter,
}

impl WorkerMetrics {
    /// Of the pool of a queue, out of the counters of all pools.
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
