use super::handlers;
use crate::http::{Route, routes};

/// The routes of health and metrics.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET "/health"       "health"  Metrics handlers::health;
        GET "/health/live"  "health"  Public  handlers::live;
        GET "/health/ready" "health"  Public  handlers::ready;
        GET "/health/redis" "health"  Metrics handlers::redis_report;
        GET "/metrics"      "metrics" Metrics handlers::metrics;
    }
}
