//! The background task of the slice.

use super::{HealthMetrics, watch};
use crate::wiring::Process;
use std::sync::Arc;

/// Starts the task that watches Redis.
pub(super) fn start(metrics: &HealthMetrics, process: &Process) {
    let (process, metrics) = (process.clone(), metrics.clone());
    let supervisor = process.supervisor().clone();
    supervisor.spawn_local("health.redis", move || {
        watch::watch(
            process.link.clone(),
            Arc::clone(&process.components),
            metrics.clone(),
            process.redis_full_percent,
        )
    });
}
