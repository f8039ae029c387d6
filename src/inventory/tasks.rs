//! The background task of the slice.

use super::{Inventory, sweep};
use crate::runtime::Supervisor;

/// Starts the sweep.
pub(super) fn start(inventory: &Inventory, supervisor: &Supervisor) {
    let inventory = inventory.clone();
    supervisor.spawn_local("inventory.sweep", move || sweep::keep_sweeping(inventory.clone()));
}
