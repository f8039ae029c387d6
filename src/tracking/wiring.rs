use super::{Document, Shared, TrackingMetrics, TrackingSettings, Writer, flush, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    shared: Arc<Shared>,
    /// The permit to follow the update feed; one worker at a time holds it.
    feed: Arc<Semaphore>,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// [`SetupError::Metrics`].
    pub fn new(process: &Process, settings: &TrackingSettings) -> Result<Self, SetupError> {
        let shared = Shared::new(
            settings.clone(),
            process.store.clone(),
            TrackingMetrics::register(&process.registry)?,
            Arc::clone(&process.components),
        );
        Ok(Self {
            shared: Arc::new(shared),
            feed: Arc::new(Semaphore::new(1)),
        })
    }

    /// Writes unsaved positions. Waits until a deadline for Redis to become available.
    pub async fn last_flush(&self, link: &Link, until: Instant) {
        flush::last_flush(&self.shared, link, until).await;
    }
}

impl Wiring for Slice {
    type Settings = TrackingSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(Writer::start(&self.shared, link)));
        tasks::follow(&self.shared, &self.feed, link);
    }

    fn start_tasks(&self, process: &Process) {
        tasks::start(&self.shared, process);
    }

    fn forget(&self) {
        self.shared.resync.notify_one();
    }
}
