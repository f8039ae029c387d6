//! The `OpenAPI` 3.1 document, put together from the handlers, and the page that shows it.

mod answers;
mod parameters;

use crate::http::{AnyQuery, Endpoint, HttpMetrics, Problem, Route, Scope, mount, serve};
use crate::ids::{ExternalId, Id};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CacheControl, CacheDirective, ContentType, ETag, EntityTag, Header, HeaderValue, IfNoneMatch,
    LOCATION,
};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};
use answers::Answers;
use bytes::Bytes;
use parameters::Parameters;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, openapi};

/// The description of the whole service; its slices add their operations.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "fleetpulse",
        description = "Ingest positions of drivers, vehicles and users, and query the nearest ones. It also stores state that services share: stock, sessions, rate limits, locks, job queues, a cache.\n\nErrors are `application/problem+json` (RFC 9457).",
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

/// Mounts the document and the page.
pub fn configure(config: &mut ServiceConfig, metrics: &Arc<HttpMetrics>) {
    mount(config, &routes(), metrics);
}

/// The document as it is served. It does not change while the process runs, so it is written once for all workers.
#[derive(Debug)]
pub struct Served {
    body: Bytes,
    tag: EntityTag,
}

impl Served {
    /// Writes the document. The entity tag is the digest of its bytes, so instances of one build have the same tag.
    #[must_use]
    pub fn new(document: &openapi::OpenApi) -> Self {
        let body = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
        let digest = Sha256::digest(&body);
        let digest = digest.first_chunk().copied().map_or(0, u128::from_be_bytes);
        let tag = EntityTag::new_strong(format!("{digest:032x}"));
        Self { body, tag }
    }

    /// Returns whether the client has the document already (RFC 9110, section 13.1.2). A malformed condition is ignored.
    fn is_known_to(&self, request: &HttpRequest) -> bool {
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        }
    }
}

/// `GET /openapi.json`
async fn json(_: AnyQuery, request: HttpRequest, served: web::Data<Served>) -> HttpResponse {
    let is_known = served.is_known_to(&request);
    let mut answer = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    // Clients may keep it, and ask each time whether it has changed: an upgrade of the service changes it.
    answer
        .insert_header(ETag(served.tag.clone()))
        .insert_header(CacheControl(vec![CacheDirective::NoCache]));
    if is_known {
        answer.finish()
    } else {
        answer.content_type(ContentType::json()).body(served.body.clone())
    }
}

/// The document as text, for people.
#[must_use]
pub fn pretty(document: &openapi::OpenApi) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}

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
