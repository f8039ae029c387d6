//! Every slice: its routes and its part of the document.

use crate::cache;
use crate::health;
use crate::http::Route;
use crate::inventory;
use crate::jobs;
use crate::limits;
use crate::locks;
use crate::openapi;
use crate::sessions;
use crate::tracking;
use utoipa::OpenApi;

/// The routes and the document of a slice.
struct Slice {
    routes: Vec<Route>,
    document: utoipa::openapi::OpenApi,
}

impl Slice {
    fn new<D: OpenApi>(routes: Vec<Route>) -> Self {
        let document = D::openapi();
        Self { routes, document }
    }
}

fn slices() -> [Slice; 8] {
    [
        Slice::new::<tracking::Document>(tracking::routes()),
        Slice::new::<inventory::Document>(inventory::routes()),
        Slice::new::<sessions::Document>(sessions::routes()),
        Slice::new::<limits::Document>(limits::routes()),
        Slice::new::<locks::Document>(locks::routes()),
        Slice::new::<jobs::Document>(jobs::routes()),
        Slice::new::<cache::Document>(cache::routes()),
        Slice::new::<health::Document>(health::routes()),
    ]
}

/// Returns the routes of the service, except those of the document and its page.
pub(super) fn of_slices() -> Vec<Route> {
    slices().into_iter().flat_map(|slice| slice.routes).collect()
}

/// Returns every route of the service.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = of_slices();
    routes.extend(openapi::routes());
    routes
}

/// Returns the `OpenAPI` document of the service.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut parts = Vec::new();
    for Slice { routes, document } in slices() {
        parts.push(document);
        parts.extend(routes.iter().filter_map(Route::document));
    }
    openapi::document(parts)
}
