//! How the service tells of itself: the log and the metrics.

mod board;
mod log;
mod log_limit;
mod metrics;
mod process;
mod settings;

pub use board::{Board, Part, State, Warning};
pub use log::{LogFilter, LogFilterError, LogFormat, init};
pub use metrics::{Metrics, Present, ResponseMetrics, WorkerMetrics};
pub use settings::LogSettings;
