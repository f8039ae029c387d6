use crate::http::{HostNames, Origins, Rules};
use clap::Args;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The settings of the HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// Address to listen on, HOST:PORT; a name is looked up once; port 0 takes any free one, printed as `listening on
    /// http://HOST:PORT`
    #[arg(long = "bind", env = "HTTP_BIND", default_value = "127.0.0.1:8080", value_parser = bind_address)]
    pub bind: SocketAddr,
    /// Names and addresses of the service, without ports, separated by commas; a service that listens on a loopback address
    /// accepts them in addition to localhost
    #[arg(
        long = "http-hosts",
        env = "HTTP_HOSTS",
        default_value = "",
        hide_default_value = true
    )]
    pub hosts: HostNames,
    /// Origins whose pages may call the service in a browser, separated by commas, such as `https://console.example.com,
    /// http://localhost:3000`; `*` for all
    #[arg(
        long = "cors-origins",
        env = "CORS_ORIGINS",
        default_value = "",
        hide_default_value = true
    )]
    pub cors_origins: Origins,
    /// Threads that serve requests; one per core if not given
    #[arg(long = "workers", env = "HTTP_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// Maximum open connections per worker; fewer if the limit on open files is low
    #[arg(long = "max-connections", env = "HTTP_MAX_CONNECTIONS", default_value = "25000")]
    pub max_connections: NonZeroUsize,
    /// Timeout for the head of a request to arrive, and again for its body, milliseconds
    // The server measures the time of the head with a clock that is up to half a second old, so with less than that a prompt
    // request could time out.
    #[arg(long = "request-timeout", env = "HTTP_REQUEST_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1000..=600_000))]
    pub request_timeout_ms: u32,
    /// Timeout for a client to read the next 64 KiB or so of an answer, milliseconds; then it is disconnected
    #[arg(long = "write-timeout", env = "HTTP_WRITE_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=600_000))]
    pub write_timeout_ms: u32,
    /// Maximum size of an answer that is a list, bytes, at least 262144; a longer list is cut and has `truncated`, or its page
    /// ends earlier
    // The minimum leaves room for any single element of a list.
    #[arg(long = "max-answer-bytes", env = "HTTP_MAX_ANSWER_BYTES", default_value = "4194304", value_parser = bytes(256 * KIB))]
    pub max_answer_bytes: usize,
    /// Maximum memory for answers above 32 KiB that clients have not read yet, bytes, including what calls in progress have
    /// reserved, at least 16777216; beyond it large answers are 503
    #[arg(long = "max-unsent-bytes", env = "HTTP_MAX_UNSENT_BYTES", default_value = "134217728", value_parser = bytes(16 * KIB * KIB))]
    pub max_unsent_bytes: usize,
    /// Maximum memory for request bodies above 64 KiB, bytes, at least 16777216; beyond it the answer is 503
    #[arg(long = "max-bodies-bytes", env = "HTTP_MAX_BODIES_BYTES", default_value = "134217728", value_parser = bytes(16 * KIB * KIB))]
    pub max_bodies_bytes: usize,
    /// Seconds for which requests are still served after a SIGTERM, while `/health/ready` answers 503; not used after a SIGINT
    #[arg(long = "lame-duck", env = "HTTP_LAME_DUCK_S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub lame_duck_s: u32,
    /// Maximum time for requests in progress to end when the service stops, seconds
    #[arg(long = "drain", env = "HTTP_DRAIN_S", default_value_t = 10)]
    pub drain_s: u64,
    /// Maximum time of a stop in total, seconds, including the two above and the last write of unsaved positions
    #[arg(long = "shutdown-budget", env = "SHUTDOWN_BUDGET_S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub shutdown_budget_s: u32,
}

/// Parses an address, or looks up a name: the first of its IPv4 addresses, or of its others if it has none.
fn bind_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = text.to_socket_addrs();
    let found: Vec<SocketAddr> = found
        .map_err(|error| format!("not HOST:PORT, or the host is not found: {error}"))?
        .collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| "the host has no address".to_owned())
}

const KIB: usize = 1_024;

/// Returns a parser of a number of bytes between `least` and 1 TiB.
fn bytes(least: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    let most = KIB * KIB * KIB * KIB;
    move |text| match text.parse() {
        Ok(bytes) if (least..=most).contains(&bytes) => Ok(bytes),
        _ => Err(format!("must be a number of bytes, {least} to {most}")),
    }
}

impl HttpSettings {
    /// Returns the rules by which requests are refused.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::new(self.cors_origins.clone(), self.hosts.clone(), self.bind.ip())
    }

    /// Returns how long a client may take to read the next part of an answer.
    #[must_use]
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.into())
    }

    /// Returns how long requests are still served after a SIGTERM.
    #[must_use]
    pub fn lame_duck(&self) -> Duration {
        Duration::from_secs(self.lame_duck_s.into())
    }

    /// Returns how long requests in progress may take to end.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }

    /// Returns how long a stop may take in total.
    #[must_use]
    pub fn shutdown_budget(&self) -> Duration {
        Duration::from_secs(self.shutdown_budget_s.into())
    }

    /// Returns the timeout for the head of a request to arrive, and again for its body.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.request_timeout_ms))
    }
}
