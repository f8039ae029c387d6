use super::handlers::State;
use super::{Document, JobDefaults, JobMetrics, JobSettings, Jobs, Validator, Wakeups, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use std::sync::{Arc, OnceLock};
use utoipa::OpenApi;

/// The slice in a process.
pub struct Slice {
    settings: JobSettings,
    metrics: JobMetrics,
    wakeups: Wakeups,
    /// What holds for jobs that clients add. A slice on top sets it, before workers start.
    added: OnceLock<(Validator, JobDefaults)>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, settings: &JobSettings) -> Result<Self, SetupError> {
        Ok(Self {
            settings: *settings,
            metrics: JobMetrics::register(&process.registry)?,
            wakeups: Wakeups::listen(&process.store),
            added: OnceLock::new(),
        })
    }

    /// Sets the validator and the defaults of the jobs that clients add. The first call counts, and only for workers that start later.
    pub fn validate_with(&self, validator: Validator, defaults: JobDefaults) {
        self.added.get_or_init(|| (validator, defaults));
    }

    /// Returns the jobs over a connection, without a validator.
    #[must_use]
    pub fn jobs(&self, link: &Link) -> Jobs {
        Jobs::new(link.clone(), self.wakeups.clone(), self.settings)
    }

    /// Returns the metrics.
    #[must_use]
    pub const fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }
}

impl Wiring for Slice {
    type Settings = JobSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        let mut jobs = self.jobs(link);
        if let Some((validator, defaults)) = self.added.get() {
            jobs = jobs
                .with_validator(Arc::clone(validator))
                .with_job_defaults(Arc::clone(defaults));
        }
        app.app_data(Data::new(State {
            jobs,
            metrics: self.metrics.clone(),
        }));
    }

    fn start_tasks(&self, process: &Process) {
        if process.store.is_configured() {
            tasks::start(&self.jobs(&process.link), process.supervisor());
        }
    }

    fn forget(&self) {
        self.wakeups.wake_all();
    }

    fn end_waits(&self) {
        self.wakeups.close();
    }
}
