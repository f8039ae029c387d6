use super::{Document, SessionMetrics, SessionSettings, Sessions, Shared, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use std::sync::Arc;
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    shared: Arc<Shared>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, settings: &SessionSettings) -> Result<Self, SetupError> {
        let metrics = SessionMetrics::register(&process.registry)?;
        Ok(Self {
            shared: Shared::new(settings.clone(), &metrics),
        })
    }
}

impl Wiring for Slice {
    type Settings = SessionSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(Sessions::new(link.clone(), Arc::clone(&self.shared))));
    }

    fn start_tasks(&self, process: &Process) {
        if process.store.is_configured() {
            tasks::start(&self.shared, process);
        }
    }
}
