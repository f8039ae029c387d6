//! How the service is: for orchestrators (live, ready), for people (each part since when and why), for Prometheus.
//!
//! Parts speak for themselves on the [`Board`](crate::telemetry::Board); this slice reads it, watches Redis, and answers.
//!
//! | key | type |
//! |---|---|
//! | `probe` | string, written twice a second by each instance; ends a minute later |

mod handlers;
mod metrics;
mod redis;
mod setup;
mod watch;

pub use handlers::{
    __path_health, __path_live, __path_metrics, __path_ready, __path_redis_report, Health, health, live, metrics,
    ready, redis_report,
};
pub use metrics::HealthMetrics;
pub use redis::{RedisReport, SlowCommand};
pub use watch::watch;
