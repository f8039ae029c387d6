//! The route table of a slice: a line for each method of a path. Mounting, the `OpenAPI` document, `fleetpulse routes` and the tests read
//! the same table.

use super::extract::{Arguments, check};
use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::Method;
use actix_web::{Error, FromRequest, Handler, HttpResponse, Responder, ResponseError};
use std::fmt;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

/// The permission that a route requires. It is shown in the document, and not enforced yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Report positions and change profiles.
    PositionsWrite,
    /// Read one entity.
    PositionsRead,
    /// Query which entities are nearby.
    Dispatch,
    /// Stock and reservations.
    Inventory,
    /// Sessions.
    Sessions,
    /// Job queues.
    Jobs,
    /// The cache.
    Cache,
    /// Locks.
    Locks,
    /// Rate limits.
    Limits,
    /// Live streams.
    Streams,
    /// Metrics and the state of the service.
    Metrics,
    /// Everything.
    Admin,
    /// Nothing: anyone may use the route.
    Public,
}

impl Scope {
    /// Returns the name in the document and in credentials.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PositionsWrite => "positions:write",
            Self::PositionsRead => "positions:read",
            Self::Dispatch => "dispatch",
            Self::Inventory => "inventory",
            Self::Sessions => "sessions",
            Self::Jobs => "jobs",
            Self::Cache => "cache",
            Self::Locks => "locks",
            Self::Limits => "limits",
            Self::Streams => "streams",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded where a table asks for it.
        f.pad(self.as_str())
    }
}

/// One method of a path. The macro `routes!` makes it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path as the document writes it. `{kind}` stands for each kind of entity.
    pub path: &'static str,
    /// The name of the path in metrics; the same for all its methods.
    pub name: &'static str,
    /// The permission that it requires.
    pub scope: Scope,
    endpoint: Endpoint,
    /// Whether a repeated call has no further effect.
    is_idempotent: bool,
}

/// A handler, ready to be mounted, with its part of the document.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Mounts the handler. The argument is whether a repeated call has no further effect.
    pub mount: fn(bool) -> actix_web::Route,
    /// The document with only this operation; `None` if the document leaves it out.
    pub document: Option<fn() -> OpenApi>,
}

impl Route {
    /// Creates a route. A `POST` counts as not idempotent.
    #[must_use]
    pub fn new(method: Method, path: &'static str, name: &'static str, scope: Scope, endpoint: Endpoint) -> Self {
        let is_idempotent = method != Method::POST;
        Self {
            method,
            path,
            name,
            scope,
            endpoint,
            is_idempotent,
        }
    }

    /// Marks a `POST` as idempotent: it ignores an `Idempotency-Key`.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self {
            is_idempotent: true,
            ..self
        }
    }

    /// Returns the handler behind the guard of its method.
    pub(super) fn to_actix(&self) -> actix_web::Route {
        (self.endpoint.mount)(self.is_idempotent).method(self.method.clone())
    }

    /// Returns the document of this operation, with the scope as `x-scope`; `None` if the document leaves it out.
    #[must_use]
    pub fn document(&self) -> Option<OpenApi> {
        let mut document = self.endpoint.document?();
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let scope = ExtensionsBuilder::new().add("x-scope", self.scope.as_str()).build();
            operation.extensions.get_or_insert_default().merge(scope);
        }
        Some(document)
    }

    /// Returns the operation in the document; `None` if the document leaves it out.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        let mut paths = self.document()?.paths.paths;
        paths.values_mut().flat_map(operations).next().cloned()
    }
}

/// Returns the operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    all.into_iter().flatten()
}

/// Mounts a handler. Parts of a request that no argument reads are refused first; then the arguments are extracted in order.
pub fn serve<H, A>(handler: H, is_idempotent: bool) -> actix_web::Route
where
    H: Handler<A>,
    H::Output: Responder + 'static,
    A: Arguments + FromRequest + 'static,
{
    actix_web::Route::new().service(fn_service(move |request: ServiceRequest| {
        let handler = handler.clone();
        async move {
            let (request, mut payload) = request.into_parts();
            let response = match check::<A>(&request, is_idempotent) {
                Err(problem) => problem.error_response(),
                Ok(()) => match A::from_request(&request, &mut payload).await {
                    Err(error) => HttpResponse::from_error(error),
                    Ok(arguments) => handler.call(arguments).await.respond_to(&request).map_into_boxed_body(),
                },
            };
            Ok::<_, Error>(ServiceResponse::new(request, response))
        }
    }))
}

/// A route table: `METHOD path name scope handler`, a line each. A `POST` that may be repeated without further effect is
/// `POST idempotent`; any other refuses an `Idempotency-Key`, unless its handler takes it. Handlers carry `#[utoipa::path]`.
macro_rules! routes {
    ($($method:ident $($word:ident)? $path:literal $name:literal $scope:ident $($handler:ident)::+;)*) => {
        vec![$({
            #[derive(utoipa::OpenApi)]
            #[openapi(paths($($handler)::+))]
            struct Described;
            let endpoint = $crate::http::Endpoint {
                mount: |is_idempotent| $crate::http::serve($($handler)::+, is_idempotent),
                document: Some(<Described as utoipa::OpenApi>::openapi),
            };
            let method = actix_web::http::Method::$method;
            $crate::http::Route::new(method, $path, $name, $crate::http::Scope::$scope, endpoint)$(.$word())?
        }),*]
    };
}

pub(crate) use routes;
