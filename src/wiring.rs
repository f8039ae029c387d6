//! How `app` runs a slice. Each slice has a type `Slice` that implements [`Wiring`], and a constructor `Slice::new`, which takes the
//! [`Process`], the settings of the slice, and the slices that it is on top of. `src/app/slices.rs` lists the slices.

use crate::http::Route;
use crate::outgoing::CallError;
use crate::runtime::Supervisor;
use crate::store::{Link, Store};
use crate::telemetry::{HealthRegistry, MetricsRegistry};
use actix_web::web::ServiceConfig;
use clap::Args;
use std::error::Error;
use std::sync::Arc;
use utoipa::openapi::OpenApi;

/// A slice in a running process: its state, which the workers and the background tasks share. All functions except the type of the
/// settings have a default, for slices that do not need them.
pub trait Wiring {
    /// The settings; `()` if there are none.
    type Settings: Args;

    /// Returns the routes.
    #[must_use]
    fn routes() -> Vec<Route> {
        Vec::new()
    }

    /// Returns what the `OpenAPI` document says of the slice beside its operations.
    #[must_use]
    fn document() -> OpenApi {
        OpenApi::default()
    }

    /// Checks that settings do not contradict each other. Opens nothing.
    ///
    /// # Errors
    /// [`SetupError::Settings`].
    fn check(_settings: &Self::Settings) -> Result<(), SetupError> {
        Ok(())
    }

    /// Gives a worker the state that the handlers use. Runs on the thread of the worker, because its tasks and its connection stay there.
    fn set_up_worker(&self, _link: &Link, _app: &mut ServiceConfig) {}

    /// Starts the background tasks that a process has once.
    fn start_tasks(&self, _process: &Process) {}

    /// Discards what is cached about the data in Redis; called when Redis was flushed or replaced. Code that compares the generation of the
    /// store itself does not need it.
    fn forget(&self) {}

    /// Ends the waits of requests; called when the process is about to stop. Otherwise they would wait for as long as the drain lasts, and
    /// then be cut off without an answer.
    fn end_waits(&self) {}
}

/// What a process has once, and each slice may use.
#[derive(Debug, Clone)]
pub struct Process {
    /// Redis.
    pub store: Store,
    /// The connection of everything that is not a worker.
    pub link: Link,
    /// Where components report their states.
    pub components: Arc<HealthRegistry>,
    /// Where metrics are registered.
    pub registry: MetricsRegistry,
    /// The share of its memory, in percent, from which on Redis counts as full.
    pub redis_full_percent: u8,
}

impl Process {
    /// Returns the supervisor of the background tasks.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        self.store.supervisor()
    }
}

/// Why a slice cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Its settings are invalid, so another start with the same settings fails as well.
    #[error(transparent)]
    Settings(Box<dyn Error + Send + Sync>),
    /// Its metrics cannot be registered.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    /// Its calls to other hosts cannot be set up.
    #[error("outgoing calls cannot be set up")]
    Outgoing(#[source] CallError),
}

impl SetupError {
    /// Makes an error of settings.
    pub fn settings(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Settings(Box::new(error))
    }
}
