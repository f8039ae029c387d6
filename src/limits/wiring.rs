use super::{Document, Gate, Guard, LimitMetrics, LimitSettings, Limits, Policies, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use std::sync::Arc;
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    policies: Policies,
    metrics: LimitMetrics,
    gate: Option<Arc<Gate>>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(process: &Process, settings: &LimitSettings) -> Result<Self, SetupError> {
        let metrics = LimitMetrics::register(&process.registry)?;
        Ok(Self {
            policies: settings.policies.clone(),
            gate: Gate::new(settings, &metrics).map_err(SetupError::settings)?,
            metrics,
        })
    }

    /// Returns the middleware that limits the requests to this service.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard(self.gate.clone())
    }
}

impl Wiring for Slice {
    type Settings = LimitSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn check(settings: &LimitSettings) -> Result<(), SetupError> {
        settings.request_rules().map(drop).map_err(SetupError::settings)
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(Limits::new(link, &self.policies, &self.metrics)));
    }

    fn start_tasks(&self, process: &Process) {
        if let Some(gate) = &self.gate {
            tasks::start(gate, process);
        }
    }
}
