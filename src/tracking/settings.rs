use crate::kind::Kind;
use clap::Args;

/// The settings of the tracking slice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tracking")]
pub struct TrackingSettings {
    /// Seconds for which a position is valid, counted from its timestamp
    #[arg(long = "ttl", env = "TRACKING_TTL_S", default_value_t = 300, value_parser = seconds())]
    pub ttl_s: u32,
    /// The same for drivers only
    #[arg(long = "ttl-drivers", env = "TRACKING_TTL_DRIVERS_S", value_parser = seconds())]
    pub ttl_drivers_s: Option<u32>,
    /// The same for vehicles only
    #[arg(long = "ttl-vehicles", env = "TRACKING_TTL_VEHICLES_S", value_parser = seconds())]
    pub ttl_vehicles_s: Option<u32>,
    /// The same for users only
    #[arg(long = "ttl-users", env = "TRACKING_TTL_USERS_S", value_parser = seconds())]
    pub ttl_users_s: Option<u32>,
    /// Seconds after the last position or change at which a profile expires; never before the position expires
    #[arg(long = "profile-ttl", env = "TRACKING_PROFILE_TTL_S", default_value_t = 2_592_000,
        value_parser = clap::value_parser!(u32).range(1..=315_360_000))]
    pub profile_ttl_s: u32,
    /// Maximum entities of one kind that an instance holds in memory, some 140 bytes each
    #[arg(long = "max-entities", env = "TRACKING_MAX_ENTITIES", default_value_t = 5_000_000)]
    pub max_entities: usize,
    /// Maximum positions that wait for Redis, per worker; beyond it the answer is 503
    #[arg(long = "writer-queue", env = "TRACKING_WRITER_QUEUE", default_value_t = 50_000)]
    pub writer_queue: usize,
    /// Milliseconds by which updates of other instances may be late before answers are marked stale
    #[arg(long = "feed-max-lag", env = "FEED_MAX_LAG_MS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=600_000))]
    pub feed_max_lag_ms: u32,
}

/// Parses a duration from a second to a week.
fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=604_800)
}

impl TrackingSettings {
    /// Returns the TTL of the fixes of a kind, milliseconds.
    #[must_use]
    pub fn ttl_ms(&self, kind: Kind) -> i64 {
        let own = match kind {
            Kind::Drivers => self.ttl_drivers_s,
            Kind::Vehicles => self.ttl_vehicles_s,
            Kind::Users => self.ttl_users_s,
        };
        i64::from(own.unwrap_or(self.ttl_s)) * 1000
    }

    /// Returns the TTL of a kind's profiles, in milliseconds.
    #[must_use]
    pub fn profile_ttl_ms(&self, kind: Kind) -> i64 {
        (i64::from(self.profile_ttl_s) * 1000).max(self.ttl_ms(kind))
    }
}
