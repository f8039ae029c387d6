//! Observability: the log, the metrics, and the states of the components.

mod health;
mod log;
mod log_limit;
mod present;
mod process;
mod registry;
mod settings;

pub use health::{Component, HealthRegistry, State, Warning};
pub use log::{LogFilter, LogFilterError, LogFormat, init};
pub use present::Present;
pub use process::ProcessMetrics;
pub use registry::{LATENCY, MetricsRegistry};
pub use settings::LogSettings;
