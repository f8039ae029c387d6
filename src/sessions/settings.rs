use clap::Args;
use std::time::Duration;

/// The sessions slice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionSettings {
    /// Seconds without use after which a session ends, if its creator does not say
    #[arg(long = "session-idle-ttl", env = "SESSION_IDLE_TTL_S", default_value_t = 3_600, value_parser = seconds())]
    pub idle_ttl_s: u32,
    /// Seconds after which a session ends however much it is used, if its creator does not say
    #[arg(long = "session-absolute-ttl", env = "SESSION_ABSOLUTE_TTL_S", default_value_t = 86_400, value_parser = seconds())]
    pub absolute_ttl_s: u32,
    /// Longest life of a session in seconds, whatever its creator says and however it is extended
    #[arg(long = "session-max-ttl", env = "SESSION_MAX_TTL_S", default_value_t = 2_592_000, value_parser = seconds())]
    pub max_ttl_s: u32,
    /// Sessions that a subject may have at once; one more ends the oldest
    // The scripts walk over all sessions of a subject: the bound is theirs.
    #[arg(long = "sessions-per-subject", env = "SESSIONS_PER_SUBJECT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub per_subject: u16,
    /// Sessions that there may be at once, of all subjects; beyond it the answer is 429 `too_many_sessions`
    #[arg(long = "sessions-max", env = "SESSIONS_MAX", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub max: u64,
    /// Milliseconds for which a replaced token is still honoured; it is honoured in any case until a later one is used
    #[arg(long = "session-rotation-grace", env = "SESSION_ROTATION_GRACE_MS", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(0..=300_000))]
    pub rotation_grace_ms: u32,
}

/// From a second to a year.
fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=31_536_000)
}

impl SessionSettings {
    /// The idle time to live of a session whose creator does not say.
    #[must_use]
    pub fn idle_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.idle_ttl_s))
    }

    /// The absolute time to live of a session whose creator does not say.
    #[must_use]
    pub fn absolute_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.absolute_ttl_s))
    }

    /// The longest that a session may live.
    #[must_use]
    pub fn max_ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_ttl_s))
    }

    /// For how long a token that was replaced is honoured.
    #[must_use]
    pub fn rotation_grace(&self) -> Duration {
        Duration::from_millis(u64::from(self.rotation_grace_ms))
    }
}
