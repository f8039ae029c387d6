//! Ingest positions and query the nearest entities: a file per subject.

mod batch;
mod coalescing;
mod convergence;
mod differential;
mod document;
mod expiry;
mod filters;
mod index_entries;
mod instances;
mod nearby;
mod newest_wins;
mod position;
mod profile;
mod redis_layout;
mod routes;
mod times;
mod within;

use std::time::Duration;

/// How long another instance may take to receive an update.
const SOON: Duration = Duration::from_secs(10);
