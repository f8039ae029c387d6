mod limits;
mod rules;
mod token;

pub use limits::{MAX_KEY, MAX_TAGS, MAX_TTL};
pub use rules::{Event, EventRules, Target, TargetError};
pub use token::{AdminToken, TokenError};

use crate::settings::SecretParser;
use clap::Args;
use limits::MAX_TTL_S;
use std::time::Duration;

/// The settings of the cache slice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheSettings {
    /// Seconds for which an entry of the class `default`, or without a TTL, is fresh
    #[arg(long = "cache-ttl-default", env = "CACHE_TTL_DEFAULT_S", default_value_t = Self::default().default_ttl_s, value_parser = seconds())]
    pub default_ttl_s: u32,
    /// Seconds for which an entry of the class `static` is fresh
    #[arg(long = "cache-ttl-static", env = "CACHE_TTL_STATIC_S", default_value_t = Self::default().static_ttl_s, value_parser = seconds())]
    pub static_ttl_s: u32,
    /// Seconds for which an entry of the class `dynamic` is fresh
    #[arg(long = "cache-ttl-dynamic", env = "CACHE_TTL_DYNAMIC_S", default_value_t = Self::default().dynamic_ttl_s, value_parser = seconds())]
    pub dynamic_ttl_s: u32,
    /// Seconds for which an entry of the class `session` is fresh
    #[arg(long = "cache-ttl-session", env = "CACHE_TTL_SESSION_S", default_value_t = Self::default().session_ttl_s, value_parser = seconds())]
    pub session_ttl_s: u32,
    /// Seconds for which an entry of the class `realtime` is fresh
    #[arg(long = "cache-ttl-realtime", env = "CACHE_TTL_REALTIME_S", default_value_t = Self::default().realtime_ttl_s, value_parser = seconds())]
    pub realtime_ttl_s: u32,
    /// Maximum size of a value, in bytes
    #[arg(long = "cache-max-value", env = "CACHE_MAX_VALUE_BYTES", default_value_t = Self::default().max_value_bytes, value_parser = clap::value_parser!(u32).range(1_024..=67_108_864))]
    pub max_value_bytes: u32,
    /// Maximum size of the cache in the memory of each instance, in bytes; 0 for none
    #[arg(long = "cache-local-bytes", env = "CACHE_LOCAL_BYTES", default_value_t = Self::default().local_bytes)]
    pub local_bytes: u64,
    /// Maximum time that an instance keeps an entry in its own memory, in milliseconds, whatever its writer allows
    #[arg(long = "cache-local-ttl", env = "CACHE_LOCAL_TTL_MS", default_value_t = Self::default().local_ttl_ms, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub local_ttl_ms: u32,
    /// Maximum number of computations in progress in an instance; beyond it the answer is 503
    #[arg(long = "cache-computations", env = "CACHE_MAX_COMPUTATIONS", default_value_t = Self::default().max_computations, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_computations: u32,
    /// Bearer token that allows a client to list the keys of a namespace; without it keys cannot be listed
    #[arg(long = "cache-listing-token", env = "CACHE_LISTING_TOKEN", hide_env_values = true, value_parser = SecretParser::<AdminToken>::new())]
    pub listing_token: Option<AdminToken>,
    /// What events invalidate: TYPE=tag:TAG,namespace:NAMESPACE,key:NAMESPACE/KEY; … with {id} for the entity's id
    ///
    /// A TYPE that ends with * is a prefix. Every rule that matches an event applies to it.
    #[arg(long = "cache-rules", env = "CACHE_RULES", default_value = "")]
    pub rules: EventRules,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            default_ttl_s: 300,
            static_ttl_s: 24 * 3_600,
            dynamic_ttl_s: 5 * 60,
            session_ttl_s: 30 * 60,
            realtime_ttl_s: 60,
            max_value_bytes: 1_048_576,
            local_bytes: 67_108_864,
            local_ttl_ms: 5_000,
            max_computations: 10_000,
            listing_token: None,
            rules: EventRules::default(),
        }
    }
}

/// Returns a parser for one second to [`MAX_TTL`]; there are no entries without expiry.
fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=MAX_TTL_S)
}

/// A class of data by how often it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlClass {
    /// The default.
    Default,
    /// Rarely changes.
    Static,
    /// Changes sometimes.
    Dynamic,
    /// Lasts as long as a user's session.
    Session,
    /// Changes constantly.
    Realtime,
}

impl TtlClass {
    /// Returns the class with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "static" => Some(Self::Static),
            "dynamic" => Some(Self::Dynamic),
            "session" => Some(Self::Session),
            "realtime" => Some(Self::Realtime),
            _ => None,
        }
    }
}

impl CacheSettings {
    /// Returns how long an entry of a class is fresh.
    #[must_use]
    pub fn ttl(&self, class: TtlClass) -> Duration {
        Duration::from_secs(u64::from(match class {
            TtlClass::Default => self.default_ttl_s,
            TtlClass::Static => self.static_ttl_s,
            TtlClass::Dynamic => self.dynamic_ttl_s,
            TtlClass::Session => self.session_ttl_s,
            TtlClass::Realtime => self.realtime_ttl_s,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_have_stable_names() {
        let settings = CacheSettings::default();
        let of = |name| settings.ttl(TtlClass::parse(name).unwrap()).as_secs();
        assert_eq!(
            ["static", "dynamic", "session", "realtime"].map(of),
            [86_400, 300, 1_800, 60]
        );
        assert_eq!(of("default"), 300);
        assert_eq!(TtlClass::parse("forever"), None);
        assert_eq!(MAX_TTL.as_secs(), u64::try_from(MAX_TTL_S).unwrap());
    }
}
