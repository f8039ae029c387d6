use super::make::Make;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge};

/// Of the sessions slice.
#[derive(Debug)]
pub struct SessionMetrics {
    /// Sessions created.
    pub created: IntCounter,
    /// Tokens looked at, by outcome (`valid`, `unknown`, `reused`).
    pub validations: IntCounterVec,
    /// Sessions ended because a token that had been replaced was used again.
    pub stolen: IntCounter,
    /// Sessions in use lately, of all instances, roughly.
    pub active: IntGauge,
}

impl SessionMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        Ok(Self {
            created: make.counter("fleetpulse_sessions_created_total", "Sessions created")?,
            validations: make.counters(
                "fleetpulse_session_validations_total",
                "Tokens of sessions looked at",
                &["outcome"],
            )?,
            stolen: make.counter(
                "fleetpulse_sessions_stolen_total",
                "Sessions ended because a replaced token was used again",
            )?,
            active: make.gauge(
                "fleetpulse_sessions_active",
                "Sessions of all instances in use lately, roughly",
            )?,
        })
    }
}

/// Of the limits slice.
#[derive(Debug)]
pub struct LimitMetrics {
    /// Checks, by policy and outcome (`allowed`, `denied`, `degraded`: decided without Redis).
    pub checks: IntCounterVec,
    /// Requests to this service that were refused with 429, by policy.
    pub refused_requests: IntCounterVec,
}

impl LimitMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        Ok(Self {
            checks: make.counters(
                "fleetpulse_limit_checks_total",
                "Checks of limits",
                &["policy", "outcome"],
            )?,
            refused_requests: make.counters(
                "fleetpulse_limited_requests_total",
                "Requests refused with 429",
                &["policy"],
            )?,
        })
    }
}

/// Of the locks slice.
#[derive(Debug)]
pub struct LockMetrics {
    /// Answers to those who wanted a lock, by outcome (`granted`, `taken`, `timed_out`, `closed`, `gone`, `failed`).
    pub acquires: IntCounterVec,
    /// Requests that wait for a lock in this instance.
    pub waiters: IntGauge,
}

impl LockMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        Ok(Self {
            acquires: make.counters(
                "fleetpulse_lock_acquires_total",
                "Answers to those who wanted a lock",
                &["outcome"],
            )?,
            waiters: make.gauge("fleetpulse_lock_waiters", "Requests that wait for a lock")?,
        })
    }
}

/// Of the cache slice.
#[derive(Debug)]
pub struct CacheMetrics {
    /// Looks for an entry, by outcome (`local`: found in this process, `shared`: found in Redis, `stale`, `miss`, `error`,
    /// `corrupt`).
    pub reads: IntCounterVec,
    /// Computations, by outcome (`computed`, `failed`, `saved`: another one under way made it needless).
    pub computations: IntCounterVec,
    /// Calls that invalidated keys, tags or namespaces.
    pub invalidations: IntCounter,
}

impl CacheMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        Ok(Self {
            reads: make.counters("fleetpulse_cache_reads_total", "Looks into the cache", &["outcome"])?,
            computations: make.counters(
                "fleetpulse_cache_computations_total",
                "Computations of what the cache did not have",
                &["outcome"],
            )?,
            invalidations: make.counter(
                "fleetpulse_cache_invalidations_total",
                "Calls that invalidated something in the cache",
            )?,
        })
    }
}

/// Of the jobs slice.
#[derive(Debug)]
pub struct JobMetrics {
    /// Jobs put in over HTTP, by outcome (`created`, `existing`, `replaced`, `debounced`).
    pub added: IntCounterVec,
    /// Jobs leased over HTTP.
    pub leased: IntCounter,
    /// Leases ended over HTTP, by what the job is then (`done`, `delayed`, `ready`, `dead`), `not_yours` or `unknown`.
    pub settled: IntCounterVec,
    /// Requests that may wait for jobs in this instance.
    pub waiters: IntGauge,
}

impl JobMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        Ok(Self {
            added: make.counters("fleetpulse_jobs_added_total", "Jobs put in over HTTP", &["outcome"])?,
            leased: make.counter("fleetpulse_jobs_leased_total", "Jobs leased over HTTP")?,
            settled: make.counters(
                "fleetpulse_jobs_settled_total",
                "Leases of jobs ended over HTTP",
                &["outcome"],
            )?,
            waiters: make.gauge("fleetpulse_job_waiters", "Requests that wait for jobs")?,
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

/// Of the HTTP response cache: what requests were answered with.
#[derive(Debug, Clone)]
pub struct ResponseMetrics {
    /// Something fresh that was kept.
    pub hits: IntCounter,
    /// Something stale that was kept.
    pub stale: IntCounter,
    /// What the handler was asked for.
    pub misses: IntCounter,
    /// What the handler was asked for by another request at the same time.
    pub collapsed: IntCounter,
    /// What is none of the cache's business.
    pub bypassed: IntCounter,
    /// Of all these, a 304.
    pub not_modified: IntCounter,
}

impl ResponseMetrics {
    pub(super) fn new(make: &Make<'_>) -> Result<Self, Error> {
        let answers = make.counters(
            "fleetpulse_response_cache_total",
            "Requests to cached routes, by what they were answered with",
            &["outcome"],
        )?;
        let of = |outcome| answers.with_label_values(&[outcome]);
        Ok(Self {
            hits: of("hit"),
            stale: of("stale"),
            misses: of("miss"),
            collapsed: of("collapsed"),
            bypassed: of("bypass"),
            not_modified: make.counter(
                "fleetpulse_response_cache_not_modified_total",
                "Requests to cached routes answered with 304",
            )?,
        })
    }
}
