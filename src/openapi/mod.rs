//! The `OpenAPI` 3.1 document, put together from the handlers, and the page that shows it.

mod answers;
mod parameters;

use crate::cache::Cache;
use crate::http::{AnyQuery, Endpoint, HttpMetrics, Observe, Problem, Route, Scope, mount, resource, serve};
use crate::ids::{ExternalId, Id};
use crate::response_cache::{ResponseCache, Shared};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use actix_web::middleware::Condition;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, web};
use answers::Answers;
use bytes::Bytes;
use parameters::Parameters;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, openapi};
use uuid::Uuid;

/// What the document says of the service as a whole; its slices add their operations.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "fleetpulse",
        description = "Ingest positions of drivers, vehicles and users, and query the nearest ones. Beside that the state that services share: stock, sessions, rate limits, locks, job queues, a cache.\n\nErrors are `application/problem+json` (RFC 9457).",
    ),
    components(schemas(Id, ExternalId)),
    servers((url = "/", description = "This instance")),
)]
struct Service;

/// Puts the document together from the parts of the slices and their operations.
#[must_use]
pub fn document(parts: Vec<openapi::OpenApi>) -> openapi::OpenApi {
    let mut document = Service::openapi();
    for part in parts {
        document.merge(part);
    }
    for modifier in [&Tokens as &dyn Modify, &Parameters, &Answers] {
        modifier.modify(&mut document);
    }
    document
}

/// How tokens are sent: that of a session, and that of an operator.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        for name in ["session", "admin"] {
            components.add_security_scheme(name, SecurityScheme::Http(bearer.clone()));
        }
    }
}

const DOCUMENT: &str = "/openapi.json";

/// The routes of the document and of the page that shows it. The document does not describe them.
#[must_use]
pub fn routes() -> Vec<Route> {
    let get = |path, name, mount| {
        let document = None;
        Route::new(Method::GET, path, name, Scope::Public, Endpoint { mount, document })
    };
    vec![
        get(DOCUMENT, "openapi", |is_idempotent| serve(json, is_idempotent)),
        get("/", "index", |is_idempotent| serve(index, is_idempotent)),
        get("/docs", "docs", |is_idempotent| serve(index, is_idempotent)),
        get("/docs/{file:.*}", "docs", |is_idempotent| serve(page, is_idempotent)),
    ]
}

/// Mounts the document, whose answers `cache` keeps, and the page. A cached answer counts in the metrics as well.
pub fn configure(config: &mut ServiceConfig, metrics: &Arc<HttpMetrics>, cache: Condition<ResponseCache>) {
    let routes = routes();
    let (document, pages) = routes.split_at(1);
    let observe = Observe::new(metrics, "openapi");
    config.service(resource(document, DOCUMENT, DOCUMENT).wrap(cache).wrap(observe));
    mount(config, pages, metrics);
}

/// Makes the document; the application's data.
#[derive(Debug, Clone, Copy)]
pub struct Document(pub fn() -> openapi::OpenApi);

/// `GET /openapi.json`
async fn json(_: AnyQuery, document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().json(document.0())
}

/// The document as text, for people.
#[must_use]
pub fn pretty(document: &openapi::OpenApi) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// How the document is kept: put together once for all instances of a build, and not for each request.
#[must_use]
pub fn kept(cache: &Cache, responses: &Arc<Shared>) -> Condition<ResponseCache> {
    let settings = responses.settings();
    let kept = ResponseCache::builder(cache, responses, NAMESPACE.clone())
        .ttl(settings.ttl())
        .stale_while_revalidate(settings.ttl())
        .any_host()
        .share_authorized()
        .local(LOCAL)
        .key(|_| BUILD.clone())
        .build();
    Condition::new(settings.response_cache, kept)
}

/// The namespace of the cache for responses of this service.
static NAMESPACE: LazyLock<Id> = LazyLock::new(|| Id::parse("responses").expect("it is an id"));

/// How long an instance keeps the document in its own memory, if the settings of the cache allow it.
const LOCAL: Duration = Duration::from_mins(1);

/// Distinguishes the document of this build from those of other builds that run at the same time, as during a deployment: the version, and
/// the size and time of the executable, which instances of one image share. Two builds with the same version and size differ only in the
/// time; if images set all times to the same value, they may share a document until it is stale.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let executable = env::current_exe().and_then(fs::metadata).ok();
    let named = executable.and_then(|executable| {
        let modified = executable.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let version = env!("CARGO_PKG_VERSION");
        Some(format!(
            "openapi.json of {version} {} {}",
            executable.len(),
            modified.as_nanos()
        ))
    });
    // A value of its own, if the executable cannot be examined.
    named.unwrap_or_else(|| format!("openapi.json of {}", Uuid::new_v4()))
});

/// `GET /` and `GET /docs`: leads to the page. Relative, so that it holds behind a proxy that serves this under a path.
async fn index(_: AnyQuery) -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, HeaderValue::from_static("docs/")))
        .finish()
}

/// `GET /docs/…`: Swagger UI, its files in the binary.
async fn page(_: AnyQuery, file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(&file, Arc::clone(&PAGE)).map_err(|error| Problem::internal(&error))?;
    let file = file.ok_or_else(|| Problem::not_found("the documentation has no such page; see /docs/"))?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("max-age=3600")))
        .body(bytes))
}

static PAGE: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> =
    LazyLock::new(|| Arc::new(utoipa_swagger_ui::Config::from("/openapi.json")));
