use super::Registry;
use crate::ids::Id;
use crate::jobs::{Jobs, WorkerMetrics};
use std::time::Duration;

/// The settings of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// Maximum number of handlers that run concurrently.
    pub concurrency: usize,
    /// The duration of leases and of extensions; also the longest delay of jobs after a crash of their worker.
    pub lease: Duration,
    /// How long handlers may run after the pool is stopped.
    pub drain: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            concurrency: 16,
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// Leases jobs of a queue and runs them; see the module.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(super) jobs: Jobs,
    pub(super) queue: Id,
    pub(super) registry: Registry,
    pub(super) settings: PoolSettings,
    pub(super) metrics: WorkerMetrics,
}

impl Pool {
    /// Creates a pool for the types of a registry in a queue.
    #[must_use]
    pub const fn new(
        jobs: Jobs,
        queue: Id,
        registry: Registry,
        settings: PoolSettings,
        metrics: WorkerMetrics,
    ) -> Self {
        Self {
            jobs,
            queue,
            registry,
            settings,
            metrics,
        }
    }
}
