use super::{Document, Inventory, InventorySettings, ItemCount, routes, tasks};
use crate::http::Route;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::{Data, ServiceConfig};
use utoipa::OpenApi;

/// The slice in a process.
#[derive(Debug)]
pub struct Slice {
    settings: InventorySettings,
    items: ItemCount,
}

impl Slice {
    /// Creates the state of the process.
    ///
    /// # Errors
    /// None; the constructors of all slices have one form.
    pub fn new(_: &Process, settings: &InventorySettings) -> Result<Self, SetupError> {
        Ok(Self {
            settings: settings.clone(),
            items: ItemCount::default(),
        })
    }

    /// Starts the inventory of a connection, on the current runtime.
    fn inventory(&self, link: &Link) -> Inventory {
        Inventory::start_with(link, &self.settings, self.items.clone())
    }
}

impl Wiring for Slice {
    type Settings = InventorySettings;

    fn routes() -> Vec<Route> {
        routes()
    }

    fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.inventory(link)));
    }

    fn start_tasks(&self, process: &Process) {
        if process.store.is_configured() {
            tasks::start(&self.inventory(&process.link), process.supervisor());
        }
    }
}
