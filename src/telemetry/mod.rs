//! How the service tells of itself: the log and the metrics.

mod board;
mod log;
mod log_limit;
mod present;
mod process;
mod registry;
mod settings;

pub use board::{Board, Part, State, Warning};
pub use log::{LogFilter, LogFilterError, LogFormat, init};
pub use present::Present;
pub use process::ProcessMetrics;
pub use registry::{LATENCY, MetricsRegistry};
pub use settings::LogSettings;
