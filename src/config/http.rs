use clap::Args;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

/// The HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// Address to listen on; port 0 takes any free one
    #[arg(long = "bind", env = "HTTP_BIND", default_value = "127.0.0.1:8080")]
    pub bind: SocketAddr,
    /// Threads that serve requests; one per core if not given
    #[arg(long = "workers", env = "HTTP_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// Connections that may be open at once, per worker
    #[arg(long = "max-connections", env = "HTTP_MAX_CONNECTIONS", default_value = "25000")]
    pub max_connections: NonZeroUsize,
    /// Seconds that requests under way may take to end when the service stops
    #[arg(long = "drain", env = "HTTP_DRAIN_S", default_value_t = 10)]
    pub drain_s: u64,
}
