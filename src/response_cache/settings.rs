use clap::Args;
use std::time::Duration;

/// The settings of the HTTP response cache.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Response cache")]
pub struct ResponseSettings {
    /// Whether this service caches its own responses if that saves work
    #[arg(long = "response-cache", env = "RESPONSE_CACHE", default_value_t = Self::default().response_cache, action = clap::ArgAction::Set)]
    pub response_cache: bool,
    /// Seconds for which such a response is fresh
    #[arg(long = "response-cache-ttl", env = "RESPONSE_CACHE_TTL_S", default_value_t = Self::default().response_ttl_s, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub response_ttl_s: u32,
    /// Maximum size of a stored body, in bytes
    #[arg(long = "response-cache-max-body", env = "RESPONSE_CACHE_MAX_BODY", default_value_t = Self::default().response_max_body)]
    pub response_max_body: usize,
    /// Milliseconds for which a response is fresh enough even for a client that sends no-cache
    #[arg(long = "response-cache-floor", env = "RESPONSE_CACHE_FLOOR_MS", default_value_t = Self::default().response_floor_ms, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub response_floor_ms: u32,
    /// Milliseconds that a request waits for Redis; after that it continues without the cache
    #[arg(long = "response-cache-redis-timeout", env = "RESPONSE_CACHE_REDIS_TIMEOUT_MS", default_value_t = Self::default().response_redis_timeout_ms, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub response_redis_timeout_ms: u32,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self {
            response_cache: true,
            response_ttl_s: 300,
            response_max_body: 1 << 20,
            response_floor_ms: 1_000,
            response_redis_timeout_ms: 100,
        }
    }
}

impl ResponseSettings {
    /// Returns how long a response of this service is fresh.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.response_ttl_s))
    }

    /// Returns the age up to which a response is fresh enough for any client.
    #[must_use]
    pub fn floor(&self) -> Duration {
        Duration::from_millis(u64::from(self.response_floor_ms))
    }

    /// Returns how long a request waits for Redis.
    #[must_use]
    pub fn redis_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.response_redis_timeout_ms))
    }
}
