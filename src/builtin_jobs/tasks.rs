//! The background task of the slice.

use super::WorkSettings;
use crate::jobs::worker::{Pool, PoolSettings, Registry};
use crate::jobs::{Jobs, WorkerMetrics};
use crate::runtime::{Phase, Supervisor};
use prometheus::IntCounterVec;

/// Starts the pool that runs the jobs. They end in the same phase as requests.
pub(super) fn start(
    settings: &WorkSettings,
    jobs: &Jobs,
    types: &Registry,
    attempts: &IntCounterVec,
    supervisor: &Supervisor,
) {
    let bounds = PoolSettings {
        concurrency: settings.work_concurrency.into(),
        lease: settings.lease(),
        drain: settings.drain(),
    };
    let pool = Pool::new(
        jobs.clone(),
        settings.work_queue.clone(),
        types.clone(),
        bounds,
        WorkerMetrics::of(attempts, &settings.work_queue),
    );
    supervisor.spawn_draining("jobs.pool", Phase::Finishing, move |stopping| {
        pool.clone().run(stopping)
    });
}
