use super::{Cache, CacheMetrics, CacheSettings, Document, Shared, routes};
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
    pub fn new(process: &Process, settings: &CacheSettings) -> Result<Self, SetupError> {
        let metrics = CacheMetrics::register(&process.registry)?;
        Ok(Self {
            shared: Shared::new(&process.store, settings.clone(), &metrics),
        })
    }

    /// Returns the cache over a connection. A task of the current runtime sends its reads.
    #[must_use]
    pub fn cache(&self, link: &Link) -> Cache {
        Cache::new(link.clone(), Arc::clone(&self.shared))
    }
}

impl Wiring for Slice {
    type Settings = CacheSettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.cache(link)));
    }

    fn forget(&self) {
        self.shared.forget_all();
    }
}
