use std::time::Duration;

/// The options of the HTTP response cache that are the same for all routes of a process.
#[derive(Debug, Clone, Copy)]
pub struct ResponseOptions {
    /// The maximum size of a stored body, bytes.
    pub max_body: usize,
    /// The age up to which a response is fresh enough even for a client that sends `no-cache`.
    pub floor: Duration,
    /// How long a request waits for Redis. After that it continues without the cache.
    pub redis_timeout: Duration,
}

impl Default for ResponseOptions {
    fn default() -> Self {
        Self {
            max_body: 1 << 20,
            floor: Duration::from_secs(1),
            redis_timeout: Duration::from_millis(100),
        }
    }
}
