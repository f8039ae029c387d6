//! The list of the slices. No other file of `app` imports one; `stop` and `listen` use three of them through `Slices` and its settings.

use crate::http::Route;
use crate::openapi;
use crate::store::Link;
use crate::wiring::{Process, SetupError, Wiring};
use actix_web::web::ServiceConfig;
use clap::Args;

/// Expands to the sum of the slices: their settings, and the items of [`Wiring`], for all of them. In parentheses are the slices
/// that one is on top of, in the order of the arguments of its constructor; they come before it in the list.
macro_rules! slices {
    ($($slice:ident $(($($below:ident),+))?,)+) => {
        /// The settings of all slices.
        #[derive(Debug, Clone, Args)]
        pub struct SliceSettings {
            $(
                #[doc = concat!("Those of [`", stringify!($slice), "`](crate::", stringify!($slice), ").")]
                #[command(flatten)]
                pub $slice: <crate::$slice::Slice as Wiring>::Settings,
            )+
        }

        /// All slices in a process.
        pub(super) struct Slices {
            $(pub $slice: crate::$slice::Slice,)+
        }

        impl Slices {
            /// Creates the state of the process.
            pub fn new(process: &Process, settings: &SliceSettings) -> Result<Self, SetupError> {
                $(let $slice = <crate::$slice::Slice>::new(process, &settings.$slice $($(, &$below)+)?)?;)+
                Ok(Self { $($slice),+ })
            }

            /// Checks that settings do not contradict each other. Opens nothing.
            pub fn check(settings: &SliceSettings) -> Result<(), SetupError> {
                $(<crate::$slice::Slice as Wiring>::check(&settings.$slice)?;)+
                Ok(())
            }

            /// Gives a worker the state that the handlers use.
            pub fn set_up_worker(&self, link: &Link, app: &mut ServiceConfig) {
                $(self.$slice.set_up_worker(link, app);)+
            }

            /// Starts the background tasks.
            pub fn start_tasks(&self, process: &Process) {
                $(self.$slice.start_tasks(process);)+
            }

            /// Discards what is cached about the data in Redis.
            pub fn forget(&self) {
                $(self.$slice.forget();)+
            }

            /// Ends the waits of requests.
            pub fn end_waits(&self) {
                $(self.$slice.end_waits();)+
            }
        }

        /// Returns the routes and the document of each slice.
        fn parts() -> Vec<(Vec<Route>, utoipa::openapi::OpenApi)> {
            vec![$((<crate::$slice::Slice as Wiring>::routes(), <crate::$slice::Slice as Wiring>::document())),+]
        }
    };
}

// The order is that of `--help`, of the routes and of the document.
slices! {
    tracking,
    inventory,
    sessions,
    limits,
    locks,
    cache,
    jobs,
    health,
    builtin_jobs(jobs, cache),
}

/// Returns the routes of the slices: all of the service, except those of the document and its page.
pub(super) fn of_slices() -> Vec<Route> {
    parts().into_iter().flat_map(|(routes, _)| routes).collect()
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
    let mut documents = Vec::new();
    for (routes, document) in parts() {
        documents.push(document);
        documents.extend(routes.iter().filter_map(Route::document));
    }
    openapi::document(documents)
}
