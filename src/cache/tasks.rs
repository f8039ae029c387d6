//! The background task of the slice.

use super::{Cache, warm};
use crate::runtime::Supervisor;

/// Warms the cache once, then ends. The warmers must have been added before.
pub(super) fn start(cache: &Cache, supervisor: &Supervisor) {
    let cache = cache.clone();
    supervisor.spawn_local("cache.warming", move || warm::warm_at_start(cache.clone()));
}
