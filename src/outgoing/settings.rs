use crate::http::Networks;
use clap::Args;
use std::time::Duration;

/// The settings of calls to other hosts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Outgoing calls")]
pub struct OutgoingSettings {
    /// Networks outside the public Internet that may be called, separated by commas: `10.0.0.0/8, 127.0.0.1`
    #[arg(long = "outgoing-allow", env = "OUTGOING_ALLOW", default_value = "")]
    pub allow: Networks,
    /// Timeout of a connection attempt to another host, milliseconds
    #[arg(long = "outgoing-connect-timeout", env = "OUTGOING_CONNECT_TIMEOUT_MS", default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub connect_timeout_ms: u32,
    /// Timeout of a call to another host, milliseconds, including connection and response
    #[arg(long = "outgoing-timeout", env = "OUTGOING_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=300_000))]
    pub call_timeout_ms: u32,
    /// Maximum redirects that are followed; only those that keep method and body (307, 308), and never to a forbidden address
    #[arg(long = "outgoing-redirects", env = "OUTGOING_REDIRECTS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub redirects: u8,
    /// Failures in a row after which the circuit breaker of a host opens
    #[arg(long = "circuit-failures", env = "CIRCUIT_FAILURES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub circuit_failures: u32,
    /// Milliseconds for which such a host is not called; then one call may try
    #[arg(long = "circuit-rest", env = "CIRCUIT_REST_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    pub circuit_rest_ms: u32,
}

impl OutgoingSettings {
    /// Returns the timeout of a connection attempt.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.connect_timeout_ms))
    }

    /// Returns the timeout of a call.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.call_timeout_ms))
    }

    /// Returns how long a failing host is not called.
    #[must_use]
    pub fn circuit_rest(&self) -> Duration {
        Duration::from_millis(u64::from(self.circuit_rest_ms))
    }
}

impl Default for OutgoingSettings {
    fn default() -> Self {
        Self {
            allow: Networks::default(),
            connect_timeout_ms: 3_000,
            call_timeout_ms: 10_000,
            redirects: 0,
            circuit_failures: 5,
            circuit_rest_ms: 30_000,
        }
    }
}
