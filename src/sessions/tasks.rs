//! The background task of the slice.

use super::{Shared, measure};
use crate::wiring::Process;
use std::sync::Arc;

/// Starts the task that samples the counters and counts the sessions.
pub(super) fn start(shared: &Arc<Shared>, process: &Process) {
    let (sessions, link) = (Arc::clone(shared), process.link.clone());
    process.supervisor().spawn_local("sessions.stats", move || {
        measure::keep_measuring(Arc::clone(&sessions), link.clone())
    });
}
