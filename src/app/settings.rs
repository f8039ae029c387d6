//! All settings of the service: those of the HTTP server, of Redis and of every slice. Each field is a flag and an environment variable.
//! Nothing here opens anything.

use super::slices::SliceSettings;
use crate::http::HttpSettings;
use crate::store::RedisSettings;
use crate::telemetry::LogSettings;
use clap::Args;
use std::path::PathBuf;

/// All settings of the service.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The settings of the HTTP server.
    #[command(flatten)]
    pub http: HttpSettings,
    /// The settings of the connection to Redis.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// The settings of the slices.
    #[command(flatten)]
    pub slices: SliceSettings,
    /// The settings of the log.
    #[command(flatten)]
    pub log: LogSettings,
    /// Data folder of the embedded Redis
    #[arg(long, env = "DATA_DIR", default_value = "./data", help_heading = "Redis")]
    pub data_dir: PathBuf,
}
