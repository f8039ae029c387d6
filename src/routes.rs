//! Every URL of the service, on one screen.

use crate::cache::handlers as cache;
use crate::health;
use crate::http::{HttpMetrics, Observe, Problem};
use crate::inventory::handlers as inventory;
use crate::jobs::handlers as jobs;
use crate::kind::Kind;
use crate::limits::handlers as limits;
use crate::locks::handlers as locks;
use crate::openapi;
use crate::response_cache::ResponseCache;
use crate::sessions::handlers as sessions;
use crate::tracking::handlers as tracking;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::Condition;
use actix_web::web::{self, ServiceConfig, delete, get, patch, post, put};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError};
use std::future::ready;
use std::sync::Arc;

/// Mounts everything; `document` keeps the answers of `/openapi.json`.
///
/// A scope for each first word: plain text is matched faster than a pattern, and a request tries no pattern but its own
/// slice's.
#[expect(clippy::too_many_lines, reason = "a list, to be read as one")]
pub fn configure(routes: &mut ServiceConfig, metrics: &Arc<HttpMetrics>, document: Condition<ResponseCache>) {
    let unobserved = |path: &str, methods: &'static str| {
        let allow = allow(methods);
        web::resource(path.to_owned()).default_service(web::to(move |method: Method| {
            ready(method_not_mounted(&method, allow.clone()))
        }))
    };
    // The name in the metrics, and the methods that are mounted: every other one is told of them.
    let at = |path: &str, name: &'static str, allow: &'static str| -> Resource<_> {
        unobserved(path, allow).wrap(Observe::new(metrics, name))
    };
    // Observed from outside of the cache: an answer from there counts as well.
    let cached_at = |path: &str, name: &'static str, allow: &'static str, cache| -> Resource<_> {
        unobserved(path, allow).wrap(cache).wrap(Observe::new(metrics, name))
    };
    // For each kind and not `{kind}`, so that an unknown kind is a 404.
    for kind in Kind::ALL {
        let scope = web::scope(&format!("/v1/{kind}"))
            .app_data(kind)
            .service(
                at("/nearby", "nearby", "GET, POST")
                    .route(get().to(tracking::nearby))
                    .route(post().to(tracking::nearby_many)),
            )
            .service(at("/positions", "positions", "POST").route(post().to(tracking::report_batch)))
            .service(at("/within", "within", "GET").route(get().to(tracking::within)))
            .service(
                at("/{id}/position", "position", "POST, GET, DELETE")
                    .route(post().to(tracking::report))
                    .route(get().to(tracking::locate))
                    .route(delete().to(tracking::forget)),
            )
            .service(
                at("/{id}", "profile", "GET, PUT, PATCH, DELETE")
                    .route(get().to(tracking::get_profile))
                    .route(put().to(tracking::put_profile))
                    .route(patch().to(tracking::patch_profile))
                    .route(delete().to(tracking::delete_profile)),
            );
        routes.service(scope);
    }
    let inventory = web::scope("/v1/inventory")
        .service(at("", "inventory", "GET").route(get().to(inventory::list_items)))
        .service(
            at("/{sku}", "item", "GET, PUT, DELETE")
                .route(get().to(inventory::get_item))
                .route(put().to(inventory::put_item))
                .route(delete().to(inventory::delete_item)),
        )
        .service(at("/{sku}/adjust", "adjust", "POST").route(post().to(inventory::adjust_item)))
        .service(at("/{sku}/reservations", "reserve", "POST").route(post().to(inventory::reserve_item)));
    let reservations = web::scope("/v1/reservations")
        .service(
            at("", "reservations", "POST, GET, DELETE")
                .route(post().to(inventory::reserve))
                .route(get().to(inventory::list_owned))
                .route(delete().to(inventory::release_owned)),
        )
        .service(at("/{id}", "reservation", "GET").route(get().to(inventory::get_reservation)))
        .service(at("/{id}/confirm", "confirm", "POST").route(post().to(inventory::confirm)))
        .service(at("/{id}/release", "release", "POST").route(post().to(inventory::release)))
        .service(at("/{id}/return", "return", "POST").route(post().to(inventory::take_back)))
        .service(at("/{id}/extend", "extend", "POST").route(post().to(inventory::extend)));
    let sessions = web::scope("/v1/sessions")
        .service(
            at("/current", "session", "GET, PATCH, DELETE")
                .route(get().to(sessions::get_session))
                .route(patch().to(sessions::patch_session))
                .route(delete().to(sessions::sign_out)),
        )
        .service(at("/current/rotate", "session_rotate", "POST").route(post().to(sessions::rotate_session)))
        .service(at("/current/extend", "session_extend", "POST").route(post().to(sessions::extend_session)))
        .service(at("", "sessions", "POST").route(post().to(sessions::create_session)))
        .service(at("/stats", "session_stats", "GET").route(get().to(sessions::session_stats)));
    let subjects = web::scope("/v1/subjects")
        .service(
            at("/{subject}/sessions", "subject_sessions", "GET, DELETE")
                .route(get().to(sessions::list_sessions))
                .route(delete().to(sessions::end_sessions)),
        )
        .service(at("/{subject}/sessions/{id}", "subject_session", "DELETE").route(delete().to(sessions::end_session)));
    let limits = web::scope("/v1/limits")
        .service(at("/check", "limit_check", "POST").route(post().to(limits::check)))
        .service(at("/policies", "limit_policies", "GET").route(get().to(limits::policies)))
        .service(at("/{policy}/{key}", "limit", "DELETE").route(delete().to(limits::reset)));
    let locks = web::scope("/v1/locks")
        .service(
            at("/{name}", "lock", "POST, GET, DELETE")
                .route(post().to(locks::acquire))
                .route(get().to(locks::inspect))
                .route(delete().to(locks::release)),
        )
        .service(at("/{name}/renew", "lock_renew", "POST").route(post().to(locks::renew)))
        .service(at("/{name}/release", "lock_release", "POST").route(post().to(locks::release_with_post)));
    let queues = web::scope("/v1/queues")
        .service(at("", "queues", "GET").route(get().to(jobs::list_queues)))
        .service(at("/{queue}", "queue", "GET").route(get().to(jobs::get_queue)))
        .service(
            at("/{queue}/jobs", "queue_jobs", "POST, GET, DELETE")
                .route(post().to(jobs::add_jobs))
                .route(get().to(jobs::list_jobs))
                .route(delete().to(jobs::drain_jobs)),
        )
        .service(at("/{queue}/lease", "queue_lease", "POST").route(post().to(jobs::lease_jobs)))
        .service(at("/{queue}/settle", "queue_settle", "POST").route(post().to(jobs::settle_jobs)))
        .service(at("/{queue}/pause", "queue_pause", "POST").route(post().to(jobs::pause_queue)))
        .service(at("/{queue}/resume", "queue_resume", "POST").route(post().to(jobs::resume_queue)))
        .service(at("/{queue}/redrive", "queue_redrive", "POST").route(post().to(jobs::redrive)))
        .service(at("/{queue}/dead", "queue_dead", "DELETE").route(delete().to(jobs::clear_dead)))
        .service(at("/{queue}/events", "queue_events", "GET").route(get().to(jobs::list_events)))
        .service(at("/{queue}/schedules", "queue_schedules", "GET").route(get().to(jobs::list_schedules)))
        .service(
            at("/{queue}/schedules/{name}", "queue_schedule", "GET, PUT, DELETE")
                .route(get().to(jobs::get_schedule))
                .route(put().to(jobs::put_schedule))
                .route(delete().to(jobs::delete_schedule)),
        )
        .service(at("/{queue}/unique/{key}", "queue_unique", "DELETE").route(delete().to(jobs::cancel_unique)));
    let jobs = web::scope("/v1/jobs")
        .service(
            at("/{id}", "job", "GET, DELETE")
                .route(get().to(jobs::get_job))
                .route(delete().to(jobs::cancel_job)),
        )
        .service(at("/{id}/complete", "job_complete", "POST").route(post().to(jobs::complete_job)))
        .service(at("/{id}/fail", "job_fail", "POST").route(post().to(jobs::fail_job)))
        .service(at("/{id}/extend", "job_extend", "POST").route(post().to(jobs::extend_job)))
        .service(at("/{id}/progress", "job_progress", "POST").route(post().to(jobs::progress_job)))
        .service(at("/{id}/retry", "job_retry", "POST").route(post().to(jobs::retry_job)));
    let cache = web::scope("/v1/cache")
        .service(at("/stats", "cache_stats", "GET").route(get().to(cache::cache_stats)))
        .service(at("/events", "cache_events", "POST").route(post().to(cache::tell_event)))
        .service(at("/tags/invalidate", "cache_tags", "POST").route(post().to(cache::invalidate_tags)))
        .service(at("/tickets/{namespace}/{key}", "cache_ticket", "POST").route(post().to(cache::take_ticket)))
        .service(
            at("/counters/{namespace}/{key}", "cache_counter", "POST, GET, DELETE")
                .route(post().to(cache::count))
                .route(get().to(cache::get_counter))
                .route(delete().to(cache::delete_counter)),
        )
        .service(
            at("/{namespace}", "cache_namespace", "GET, POST, DELETE")
                .route(get().to(cache::list_keys))
                .route(post().to(cache::batch))
                .route(delete().to(cache::clear_namespace)),
        )
        .service(
            at("/{namespace}/{key}", "cache_entry", "GET, PUT, PATCH, DELETE")
                .route(get().to(cache::get_entry))
                .route(put().to(cache::put_entry))
                .route(patch().to(cache::touch_entry))
                .route(delete().to(cache::delete_entry)),
        );
    routes.service(inventory).service(reservations).service(sessions);
    routes.service(subjects).service(limits).service(locks);
    routes.service(queues).service(jobs).service(cache);
    routes
        .service(at("/health", "health", "GET").route(get().to(health::health)))
        .service(at("/health/live", "health", "GET").route(get().to(health::live)))
        .service(at("/health/ready", "health", "GET").route(get().to(health::ready)))
        .service(at("/health/redis", "health", "GET").route(get().to(health::redis_report)))
        .service(at("/metrics", "metrics", "GET").route(get().to(health::metrics)))
        .service(cached_at("/openapi.json", "openapi", "GET", document).route(get().to(openapi::json)))
        .service(at("/", "index", "GET").route(get().to(openapi::index)))
        .service(at("/docs", "docs", "GET").route(get().to(openapi::index)))
        .service(at("/docs/{file:.*}", "docs", "GET").route(get().to(openapi::page)));
}

/// What every other URL answers.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    // The server as a whole (RFC 9110, section 9.3.7).
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return HttpResponse::NoContent()
            .insert_header((
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            ))
            .finish();
    }
    Problem::not_found("there is nothing under this path; /docs/ lists the paths").error_response()
}

/// What `Allow` says of a path: with the methods that are mounted those that follow from them.
fn allow(methods: &str) -> HeaderValue {
    let head = if methods.split(", ").any(|method| method == "GET") {
        "HEAD, "
    } else {
        ""
    };
    HeaderValue::try_from(format!("{methods}, {head}OPTIONS")).unwrap_or(HeaderValue::from_static(""))
}

/// What a path answers to a method that is not mounted.
fn method_not_mounted(method: &Method, allow: HeaderValue) -> HttpResponse {
    let mut response = if *method == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let methods = allow.to_str().unwrap_or_default();
        Problem::method_not_allowed(methods).error_response()
    };
    response.headers_mut().insert(ALLOW, allow);
    response
}
