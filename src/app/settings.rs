//! All settings of the service: those of the HTTP server, of Redis and of every slice. Each field is a flag and an environment variable.
//! Nothing here opens anything.

use crate::builtin_jobs::WorkSettings;
use crate::cache::CacheSettings;
use crate::http::HttpSettings;
use crate::inventory::InventorySettings;
use crate::jobs::JobSettings;
use crate::limits::LimitSettings;
use crate::locks::LockSettings;
use crate::outgoing::OutgoingSettings;
use crate::response_cache::ResponseSettings;
use crate::sessions::SessionSettings;
use crate::store::RedisSettings;
use crate::telemetry::LogSettings;
use crate::tracking::TrackingSettings;
use clap::Args;
use std::path::PathBuf;

/// All settings of the service.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The HTTP server's.
    #[command(flatten)]
    pub http: HttpSettings,
    /// Where Redis is.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// The tracking slice's.
    #[command(flatten)]
    pub tracking: TrackingSettings,
    /// The inventory slice's.
    #[command(flatten)]
    pub inventory: InventorySettings,
    /// The sessions slice's.
    #[command(flatten)]
    pub sessions: SessionSettings,
    /// The limits slice's.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// The locks slice's.
    #[command(flatten)]
    pub locks: LockSettings,
    /// The cache slice's.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// The jobs slice's.
    #[command(flatten)]
    pub jobs: JobSettings,
    /// Of calls to other hosts.
    #[command(flatten)]
    pub outgoing: OutgoingSettings,
    /// Of the jobs that the service runs itself.
    #[command(flatten)]
    pub work: WorkSettings,
    /// The HTTP response cache's.
    #[command(flatten)]
    pub responses: ResponseSettings,
    /// The log's.
    #[command(flatten)]
    pub log: LogSettings,
    /// Data folder of the embedded Redis
    #[arg(long, env = "DATA_DIR", default_value = "./data", help_heading = "Redis")]
    pub data_dir: PathBuf,
}
