//! The health of the service: liveness and readiness for orchestrators, the state of each component for operators, and metrics for
//! Prometheus.
//!
//! Components report their state to the [`HealthRegistry`](crate::telemetry::HealthRegistry). This slice reads it, and watches Redis.
//!
//! | key | type |
//! |---|---|
//! | `probe` | string, written twice a second by each instance; expires after a minute |

pub mod handlers;
mod metrics;
mod openapi;
mod redis;
mod routes;
mod setup;
mod tasks;
mod watch;
mod wiring;

pub use handlers::Health;
pub use metrics::HealthMetrics;
pub use openapi::Document;
pub use redis::{RedisReport, SlowCommand};
pub use routes::routes;
pub use wiring::Slice;
