//! The background task of the slice.

use super::{Gate, share};
use crate::runtime::Phase;
use crate::wiring::Process;
use std::sync::Arc;

/// Exchanges the counts of the request limits with the other instances, a last time when tasks end.
pub(super) fn start(gate: &Gate, process: &Process) {
    let (counts, link) = (Arc::clone(gate.share()), process.link.clone());
    process
        .supervisor()
        .spawn_draining("limits.settling", Phase::StoppingTasks, move |stopping| {
            share::keep_settling(Arc::clone(&counts), link.clone(), stopping)
        });
}
