use crate::telemetry::LogFormat;
use clap::Args;

/// The log. `RUST_LOG` says what of it is shown (`info` if not set).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// What a line looks like
    #[arg(long = "log-format", env = "LOG_FORMAT", value_enum, default_value_t)]
    pub format: LogFormat,
}
