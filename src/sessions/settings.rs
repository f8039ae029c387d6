use clap::Args;
use std::time::Duration;

/// The settings of the sessions slice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionSettings {
    /// Seconds without use after which a session ends, if its creation does not set it
    #[arg(long = "session-idle-ttl", env = "SESSION_IDLE_TTL_S", default_value_t = 3_600, value_parser = seconds())]
    pub idle_ttl_s: u32,
    /// Seconds after which a session ends even if it is used, if its creation does not set it
    #[arg(long = "session-absolute-ttl", env = "SESSION_ABSOLUTE_TTL_S", default_value_t = 86_400, value_parser = seconds())]
    pub absolute_ttl_s: u32,
    /// Maximum lifetime of a session, seconds, including all extensions
    #[arg(long = "session-max-ttl", env = "SESSION_MAX_TTL_S", default_value_t = 2_592_000, value_parser = seconds())]
    pub max_ttl_s: u32,
    /// Maximum sessions of a subject at the same time; one more ends the oldest
    // The scripts process all sessions of a subject in one call, so the range is bounded.
    #[arg(long = "sessions-per-subject", env = "SESSIONS_PER_SUBJECT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub per_subject: u16,
    /// Maximum sessions of all subjects at the same time; beyond it a creation is answered 429 `too_many_sessions`
    #[arg(long = "sessions-max", env = "SESSIONS_MAX", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub max: u64,
    /// Grace period in milliseconds in which a replaced token is still accepted; it is also accepted until a later token is used
    #[arg(long = "session-rotation-grace", env = "SESSION_ROTATION_GRACE_MS", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(0..=300_000))]
    pub rotation_grace_ms: u32,
}

/// Returns a parser for one second to one year.
fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=31_536_000)
}

impl SessionSettings {
    /// Returns the idle time to live of a session whose creation does not set it.
    #[must_use]
    pub fn idle_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.idle_ttl_s))
    }

    /// Returns the absolute time to live of a session whose creation does not set it.
    #[must_use]
    pub fn absolute_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.absolute_ttl_s))
    }

    /// Returns the maximum lifetime of a session.
    #[must_use]
    pub fn max_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_ttl_s))
    }

    /// Returns the grace period in which a replaced token is accepted.
    #[must_use]
    pub fn rotation_grace(&self) -> Duration {
        Duration::from_millis(u64::from(self.rotation_grace_ms))
    }
}
