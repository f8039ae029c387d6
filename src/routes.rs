//! Every URL of the service, on one screen.

use crate::health;
use crate::http::{Observe, Problem};
use crate::inventory::handlers as inventory;
use crate::kind::Kind;
use crate::limits::handlers as limits;
use crate::locks::handlers as locks;
use crate::openapi;
use crate::sessions::handlers as sessions;
use crate::telemetry::Metrics;
use crate::tracking::handlers as tracking;
use actix_web::web::{self, ServiceConfig, delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource, ResponseError};
use std::sync::Arc;

/// Mounts everything.
pub fn configure(routes: &mut ServiceConfig, metrics: &Arc<Metrics>) {
    // The name in the metrics, and what every method that is not mounted answers.
    let at = |path: &str, name: &'static str| -> Resource<_> {
        web::resource(path.to_owned())
            .default_service(web::to(method_not_allowed))
            .wrap(Observe::new(metrics, name))
    };
    // A scope for each kind and not `{kind}`: plain text is matched faster than a pattern, and an unknown kind is a 404.
    for kind in Kind::ALL {
        let scope = web::scope(&format!("/v1/{kind}"))
            .app_data(kind)
            .service(
                at("/nearby", "nearby")
                    .route(get().to(tracking::nearby))
                    .route(post().to(tracking::nearby_many)),
            )
            .service(at("/positions", "positions").route(post().to(tracking::report_batch)))
            .service(at("/within", "within").route(get().to(tracking::within)))
            .service(
                at("/{id}/position", "position")
                    .route(post().to(tracking::report))
                    .route(get().to(tracking::locate))
                    .route(delete().to(tracking::forget)),
            )
            .service(
                at("/{id}", "profile")
                    .route(get().to(tracking::get_profile))
                    .route(put().to(tracking::put_profile))
                    .route(patch().to(tracking::patch_profile))
                    .route(delete().to(tracking::delete_profile)),
            );
        routes.service(scope);
    }
    routes
        .service(at("/v1/inventory", "inventory").route(get().to(inventory::list_items)))
        .service(
            at("/v1/inventory/{sku}", "item")
                .route(get().to(inventory::get_item))
                .route(put().to(inventory::put_item))
                .route(delete().to(inventory::delete_item)),
        )
        .service(at("/v1/inventory/{sku}/adjust", "adjust").route(post().to(inventory::adjust_item)))
        .service(at("/v1/inventory/{sku}/reservations", "reserve").route(post().to(inventory::reserve_item)))
        .service(at("/v1/reservations", "reserve").route(post().to(inventory::reserve)))
        .service(at("/v1/reservations/{id}", "reservation").route(get().to(inventory::get_reservation)))
        .service(at("/v1/reservations/{id}/confirm", "confirm").route(post().to(inventory::confirm)))
        .service(at("/v1/reservations/{id}/release", "release").route(post().to(inventory::release)))
        .service(at("/v1/reservations/{id}/extend", "extend").route(post().to(inventory::extend)));
    routes
        .service(at("/v1/sessions", "sessions").route(post().to(sessions::create_session)))
        .service(at("/v1/sessions/stats", "session_stats").route(get().to(sessions::session_stats)))
        .service(
            at("/v1/sessions/current", "session")
                .route(get().to(sessions::get_session))
                .route(patch().to(sessions::patch_session))
                .route(delete().to(sessions::sign_out)),
        )
        .service(at("/v1/sessions/current/rotate", "session_rotate").route(post().to(sessions::rotate_session)))
        .service(at("/v1/sessions/current/extend", "session_extend").route(post().to(sessions::extend_session)))
        .service(
            at("/v1/subjects/{subject}/sessions", "subject_sessions")
                .route(get().to(sessions::list_sessions))
                .route(delete().to(sessions::end_sessions)),
        )
        .service(
            at("/v1/subjects/{subject}/sessions/{id}", "subject_session").route(delete().to(sessions::end_session)),
        );
    routes
        .service(at("/v1/limits/check", "limit_check").route(post().to(limits::check)))
        .service(at("/v1/limits/policies", "limit_policies").route(get().to(limits::policies)))
        .service(at("/v1/limits/{policy}/{key}", "limit").route(delete().to(limits::reset)));
    routes
        .service(
            at("/v1/locks/{name}", "lock")
                .route(post().to(locks::acquire))
                .route(get().to(locks::inspect))
                .route(delete().to(locks::release)),
        )
        .service(at("/v1/locks/{name}/renew", "lock_renew").route(post().to(locks::renew)));
    routes
        .service(at("/health", "health").route(get().to(health::health)))
        .service(at("/health/live", "health").route(get().to(health::live)))
        .service(at("/health/ready", "health").route(get().to(health::ready)))
        .service(at("/health/redis", "health").route(get().to(health::redis_report)))
        .service(at("/metrics", "metrics").route(get().to(health::metrics)))
        .service(at("/openapi.json", "openapi").route(get().to(openapi::json)))
        .service(web::redirect("/docs", "/docs/"))
        .service(openapi::swagger_ui());
}

/// What every other URL answers.
pub async fn not_found() -> HttpResponse {
    Problem::not_found("there is nothing under this path; see /docs").error_response()
}

async fn method_not_allowed() -> HttpResponse {
    Problem::method_not_allowed().error_response()
}
