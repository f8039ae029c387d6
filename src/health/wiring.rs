use super::{Document, Health, HealthMetrics, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::telemetry::State;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use std::sync::Arc;
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    health: Data<Health>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, (): &()) -> Result<Self, SetupError> {
        Ok(Self {
            health: Data::new(Health {
                components: Arc::clone(&process.components),
                supervisor: process.supervisor().clone(),
                metrics: HealthMetrics::register(&process.registry)?,
                registry: process.registry.clone(),
                link: process.link.clone(),
            }),
        })
    }
}

impl Wiring for Slice {
    type Settings = ();

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, _: &Link, app: &mut ServiceConfig) {
        app.app_data(self.health.clone());
    }

    fn start_tasks(&self, process: &Process) {
        self.health.components.set("redis", State::Starting, None);
        tasks::start(&self.health.metrics, process);
    }
}
