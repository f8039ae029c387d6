//! How the service is: for orchestrators (live, ready), for people (each part since when and why), for Prometheus.
//!
//! Parts speak for themselves on the [`Board`](crate::telemetry::Board); this slice reads it, watches Redis, and answers.
//!
//! | key | type |
//! |---|---|
//! | `probe` | string, written twice a second by each instance; ends a minute later |

pub mod handlers;
mod metrics;
mod openapi;
mod redis;
mod routes;
mod setup;
mod watch;

pub use handlers::Health;
pub use metrics::HealthMetrics;
pub use openapi::Document;
pub use redis::{RedisReport, SlowCommand};
pub use routes::routes;
pub use watch::watch;
