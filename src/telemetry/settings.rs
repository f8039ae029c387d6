use crate::telemetry::{LogFilter, LogFormat};
use clap::Args;

/// The settings of the log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// Format of the log: `text`, or `json` for log collectors
    #[arg(long = "log-format", env = "LOG_FORMAT", value_enum, default_value_t)]
    pub format: LogFormat,
    /// Lines to log: a level, or directives such as `info,fleetpulse::jobs=debug`; lines at info and above appear at most
    /// once a second for each kind
    #[arg(long = "log-filter", env = "RUST_LOG", default_value_t)]
    pub filter: LogFilter,
}
