use super::handlers::State;
use super::{Document, LockMetrics, LockSettings, Locks, Wakeups, routes};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    settings: LockSettings,
    metrics: LockMetrics,
    wakeups: Wakeups,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, settings: &LockSettings) -> Result<Self, SetupError> {
        Ok(Self {
            settings: *settings,
            metrics: LockMetrics::register(&process.registry)?,
            wakeups: Wakeups::listen(&process.store),
        })
    }
}

impl Wiring for Slice {
    type Settings = LockSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(State {
            locks: Locks::new(link.clone(), self.wakeups.clone(), self.settings),
            metrics: self.metrics.clone(),
        }));
    }

    fn forget(&self) {
        self.wakeups.wake_all();
    }

    fn end_waits(&self) {
        self.wakeups.close();
    }
}
