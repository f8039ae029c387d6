//! The HTTP interface of the slice: health and metrics.

use super::HealthMetrics;
use super::redis::{self, RedisReport};
use crate::http::{AnyQuery, Problem};
use crate::runtime::Supervisor;
use crate::store::Link;
use crate::telemetry::{Component, HealthRegistry, MetricsRegistry, State, Warning};
use crate::zones::{self, Release};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use utoipa::ToSchema;

/// The state that the handlers of this slice use.
#[derive(Debug)]
pub struct Health {
    /// The states of the components.
    pub components: Arc<HealthRegistry>,
    /// The background tasks and the phase of the shutdown.
    pub supervisor: Supervisor,
    /// The metrics of this slice.
    pub metrics: HealthMetrics,
    /// The metrics of the whole service.
    pub registry: MetricsRegistry,
    /// A connection for reports.
    pub link: Link,
}

/// The health of the service.
#[derive(Serialize, ToSchema)]
struct Report {
    /// The worst state of all components.
    status: State,
    /// Each component by name.
    #[schema(value_type = BTreeMap<String, Component>)]
    parts: BTreeMap<&'static str, Component>,
    /// Settings that an operator should change, by name; they do not change the status.
    #[schema(value_type = BTreeMap<String, Warning>)]
    warnings: BTreeMap<&'static str, Warning>,
    /// The time zone database that schedules use.
    time_zones: &'static Release,
}

/// Check that the process is alive
///
/// Does not check Redis: a restart of the service would not make it available. The check fails if a task of the service panicked and
/// has not run again for a minute.
#[utoipa::path(get, path = "/health/live", operation_id = "check_liveness", tag = "health",
    responses((status = 200, description = "Alive"),
        (status = 503, description = "A background task does not run; restart the service", body = Problem)))]
pub async fn live(_: AnyQuery, health: web::Data<Health>) -> Result<HttpResponse, Problem> {
    match health.supervisor.stuck(Instant::now()) {
        Some(task) => Err(Problem::unavailable(
            format!("the task {task} does not run; restart the service"),
            1,
        )),
        None => Ok(HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))),
    }
}

/// Check that the instance is ready
///
/// Fails while positions are first loaded from Redis, and once the service stops. With Redis unavailable the service is ready: it
/// answers from memory.
#[utoipa::path(get, path = "/health/ready", operation_id = "check_readiness", tag = "health",
    responses((status = 200, description = "Ready"), (status = 503, description = "Loading positions, or stopping")))]
pub async fn ready(_: AnyQuery, health: web::Data<Health>) -> HttpResponse {
    let (status, state) = if health.supervisor.phases().is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if health.components.state("live_index") == Some(State::Starting) {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    } else {
        (StatusCode::OK, "ok")
    };
    HttpResponseBuilder::new(status).json(serde_json::json!({"status": state}))
}

/// Get the state of each component
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "health", responses((status = 200, description = "The state of each component", body = Report)))]
pub async fn health(_: AnyQuery, health: web::Data<Health>) -> HttpResponse {
    let components = health.components.all();
    let any = |state| components.values().any(|component| component.state == state);
    let status = match () {
        () if any(State::Degraded) => State::Degraded,
        () if any(State::Starting) => State::Starting,
        () => State::Ok,
    };
    HttpResponse::Ok().json(Report {
        status,
        parts: components,
        warnings: health.components.warnings(),
        time_zones: zones::release(),
    })
}

/// Get the report of Redis
///
/// Read in one pipeline. It contains no address or name of a client of Redis, and no argument of a slow command.
#[utoipa::path(get, path = "/health/redis", operation_id = "get_redis_report", tag = "health", responses(
    (status = 200, description = "The report", body = RedisReport), (status = 503, description = "Redis is unavailable", body = Problem)))]
pub async fn redis_report(_: AnyQuery, health: web::Data<Health>) -> Result<HttpResponse, Problem> {
    match redis::report(&health.link).await {
        Ok(report) => Ok(HttpResponse::Ok().json(report)),
        Err(error) => {
            tracing::debug!(%error, "no report of Redis");
            Err(Problem::unavailable("Redis is unavailable; try again", 1))
        }
    }
}

/// Get the metrics for Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "health", responses((status = 200, description = "Prometheus text format")))]
pub async fn metrics(_: AnyQuery, health: web::Data<Health>) -> HttpResponse {
    if let Ok(seconds) = redis::cpu_seconds(&health.link).await {
        health.metrics.redis_cpu_seconds.set(seconds);
    }
    health.metrics.process.update();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(health.registry.encode())
}
