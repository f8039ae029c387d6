use crate::telemetry::MetricsRegistry;
use prometheus::{Error, IntCounter, IntCounterVec};

/// The metrics of the cache slice.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    /// Reads of entries, by outcome (`local`: found in this process, `shared`: found in Redis, `stale`, `miss`, `error`,
    /// `corrupt`).
    pub reads: IntCounterVec,
    /// Computations, by outcome (`computed`, `failed`, `coalesced`: another computation in progress made it unnecessary).
    pub computations: IntCounterVec,
    /// Calls that invalidated keys, tags or namespaces.
    pub invalidations: IntCounter,
}

impl CacheMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            reads: registry.counters("fleetpulse_cache_reads_total", "Reads of the cache", &["outcome"])?,
            computations: registry.counters(
                "fleetpulse_cache_computations_total",
                "Computations of values that the cache did not have",
                &["outcome"],
            )?,
            invalidations: registry.counter(
                "fleetpulse_cache_invalidations_total",
                "Calls that invalidated keys, tags or namespaces of the cache",
            )?,
        })
    }
}
