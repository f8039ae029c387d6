//! The background tasks of the slice.

use super::{Jobs, schedules, sweep};
use crate::runtime::Supervisor;

/// Starts the task that fires schedules, and the sweep.
pub(super) fn start(jobs: &Jobs, supervisor: &Supervisor) {
    let firing = jobs.clone();
    supervisor.spawn_local("jobs.schedules", move || schedules::keep_firing(firing.clone()));
    let sweeping = jobs.clone();
    supervisor.spawn_local("jobs.sweep", move || sweep::keep_sweeping(sweeping.clone()));
}
