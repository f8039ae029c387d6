//! The background tasks of the slice.

use super::{Shared, expiry, feed, flush, rebuild};
use crate::store::Link;
use crate::wiring::Process;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Starts the tasks that a process has once.
pub(super) fn start(shared: &Arc<Shared>, process: &Process) {
    let supervisor = process.supervisor();
    let tracking = Arc::clone(shared);
    supervisor.spawn_local("tracking.rebuild", move || {
        rebuild::keep_rebuilding(Arc::clone(&tracking))
    });
    let (tracking, link) = (Arc::clone(shared), process.link.clone());
    supervisor.spawn_local("tracking.expiry", move || {
        expiry::keep_sweeping(Arc::clone(&tracking), link.clone())
    });
    if process.store.is_configured() {
        let (tracking, link) = (Arc::clone(shared), process.link.clone());
        supervisor.spawn_local("tracking.flush", move || {
            flush::keep_flushing(Arc::clone(&tracking), link.clone())
        });
    }
}

/// Follows the update feed on this worker, unless another worker does so already. It runs on a worker and not on a thread of its own,
/// because most messages are this instance's own batches: they arrive when the worker is awake for their answers anyway, and waking a
/// thread for each costs more than reading it.
pub(super) fn follow(shared: &Arc<Shared>, turn: &Arc<Semaphore>, link: &Link) {
    if !link.store().is_configured() {
        return;
    }
    let (turn, tracking, link) = (Arc::clone(turn), Arc::clone(shared), link.clone());
    let supervisor = link.store().supervisor().clone();
    supervisor.spawn_local("tracking.feed", move || {
        let (turn, tracking, link) = (Arc::clone(&turn), Arc::clone(&tracking), link.clone());
        async move {
            // The permit is returned when the task or its thread ends, for the next worker.
            if let Ok(_turn) = turn.acquire_owned().await {
                feed::follow(tracking, link).await;
            }
        }
    });
}
