//! The `OpenAPI` 3.1 document, put together from the handlers, and the page that shows it.

mod answers;
mod parameters;

use crate::cache::Cache;
use crate::cache::handlers as cache;
use crate::health;
use crate::http::Problem;
use crate::ids::{ExternalId, Id};
use crate::inventory::handlers as inventory;
use crate::jobs::handlers as jobs;
use crate::limits::handlers as limits;
use crate::locks::handlers as locks;
use crate::response_cache::{ResponseCache, Shared};
use crate::sessions::handlers as sessions;
use crate::tracking::handlers as tracking;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use actix_web::middleware::Condition;
use actix_web::{HttpResponse, web};
use answers::Answers;
use bytes::Bytes;
use parameters::Parameters;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, openapi};
use uuid::Uuid;

/// The service's interface.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "fleetpulse",
        description = "Ingest positions of drivers, vehicles and users, and query the nearest ones. Beside that the state that services share: stock, sessions, rate limits, locks, job queues, a cache.\n\nErrors are `application/problem+json` (RFC 9457).",
    ),
    paths(
        tracking::report, tracking::locate, tracking::forget, tracking::report_batch, tracking::nearby,
        tracking::nearby_many, tracking::within, tracking::get_profile, tracking::put_profile,
        tracking::patch_profile, tracking::delete_profile,
        inventory::put_item, inventory::get_item, inventory::adjust_item, inventory::delete_item, inventory::list_items,
        inventory::reserve_item, inventory::reserve, inventory::get_reservation, inventory::confirm, inventory::release,
        inventory::extend, inventory::take_back, inventory::list_owned, inventory::release_owned,
        sessions::create_session, sessions::session_stats, sessions::get_session, sessions::patch_session,
        sessions::sign_out, sessions::rotate_session, sessions::extend_session, sessions::list_sessions,
        sessions::end_sessions, sessions::end_session,
        limits::check, limits::reset, limits::policies,
        locks::acquire, locks::inspect, locks::release, locks::release_with_post, locks::renew,
        jobs::list_queues, jobs::get_queue, jobs::add_jobs, jobs::list_jobs, jobs::drain_jobs, jobs::lease_jobs, jobs::settle_jobs,
        jobs::pause_queue, jobs::resume_queue, jobs::redrive, jobs::clear_dead, jobs::list_events, jobs::cancel_unique,
        jobs::get_job, jobs::cancel_job, jobs::complete_job, jobs::fail_job, jobs::extend_job, jobs::progress_job,
        jobs::retry_job, jobs::list_schedules, jobs::get_schedule, jobs::put_schedule, jobs::delete_schedule,
        cache::get_entry, cache::put_entry, cache::touch_entry, cache::delete_entry, cache::batch, cache::list_keys,
        cache::clear_namespace, cache::take_ticket, cache::invalidate_tags, cache::tell_event, cache::count, cache::get_counter,
        cache::delete_counter, cache::cache_stats,
        health::health, health::live, health::ready,
        health::redis_report, health::metrics,
    ),
    tags(
        (name = "tracking", description = "Positions and profiles of entities, and queries for the nearest"),
        (name = "inventory", description = "Stock and reservations"),
        (name = "sessions", description = "Sessions and their tokens"),
        (name = "limits", description = "Rate limits"),
        (name = "locks", description = "Distributed locks with fencing tokens"),
        (name = "jobs", description = "Job queues with priorities, schedules and at-least-once delivery"),
        (name = "cache", description = "A cache that services share"),
        (name = "health", description = "Health and metrics"),
    ),
    components(schemas(
        Id, ExternalId, tracking::EntityId, jobs::QueueNameBody, jobs::JobIdBody, cache::NamespaceBody, cache::KeyBody,
    )),
    servers((url = "/", description = "This instance")),
    modifiers(&Tokens, &Parameters, &Answers),
)]
pub struct ApiDoc;

/// Says how tokens are sent: a session's, and that of those who look after the service.
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

/// The calls of a path.
fn calls(item: &mut openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    all.into_iter().flatten()
}

/// `GET /openapi.json`
pub async fn json() -> HttpResponse {
    HttpResponse::Ok().json(ApiDoc::openapi())
}

/// The document as text, for people.
#[must_use]
pub fn pretty() -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(&ApiDoc::openapi()).unwrap_or_default();
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

/// Of the cache: where the answers of this service lie.
static NAMESPACE: LazyLock<Id> = LazyLock::new(|| Id::parse("responses").expect("it is an id"));

/// For how long an instance keeps the document in its own memory, if the cache's settings allow as much.
const LOCAL: Duration = Duration::from_mins(1);

/// Tells this build's document from those of other builds that run beside it, as during a deploy: the version, and the size
/// and time of the executable, which instances of one image have in common. Two builds of one version and size are told apart
/// by their time alone: where images set all times alike, they may share a document until it is stale.
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
    // Its own alone, if nobody can say.
    named.unwrap_or_else(|| format!("openapi.json of {}", Uuid::new_v4()))
});

/// `GET /` and `GET /docs`: leads to the page. Relative, so that it holds behind a proxy that serves this under a path.
pub async fn index() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((LOCATION, HeaderValue::from_static("docs/")))
        .finish()
}

/// `GET /docs/…`: Swagger UI, its files in the binary.
///
/// # Errors
/// 404 for a file that is not part of it.
pub async fn page(file: web::Path<String>) -> Result<HttpResponse, Problem> {
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
