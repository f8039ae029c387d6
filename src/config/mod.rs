//! Settings: one struct per concern. Each field is a flag and a variable, named in its line; nothing here opens anything.

mod bytes;
mod cache;
mod http;
mod inventory;
mod jobs;
mod limits;
mod locks;
mod log;
mod outgoing;
mod redis;
mod responses;
mod secret;
mod sessions;
mod tracking;
mod work;

pub use bytes::bytes;
pub use cache::{
    AdminToken, CacheSettings, Event, EventRules, MAX_KEY, MAX_TTL, Target, TargetError, TokenError, TtlClass,
};
pub use http::HttpSettings;
pub use inventory::InventorySettings;
pub use jobs::JobSettings;
pub use limits::{Algorithm, LimitSettings, MAX_QUOTA, Outage, PartError, Policies, Policy, RequestRules, RuleError};
pub use locks::LockSettings;
pub use log::LogSettings;
pub use outgoing::OutgoingSettings;
pub use redis::{RedisSettings, RedisSource, RedisSourceError};
pub use responses::ResponseSettings;
pub use sessions::SessionSettings;
pub use tracking::TrackingSettings;
pub use work::{HoursError, MOST_SCALE, Rate, RateError, ReminderHours, WORK_QUEUE, WorkSettings, exact_decimal};

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
    /// Folder of the embedded Redis
    #[arg(long, env = "DATA_DIR", default_value = "./data", help_heading = "Redis")]
    pub data_dir: PathBuf,
}
