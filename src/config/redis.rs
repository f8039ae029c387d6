use crate::store::embedded::AppendFsync;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where Redis is. Nothing given: the service starts one of its own.
#[derive(Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// URL of a standalone Redis: redis://, rediss:// (TLS) or unix://
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Host of a standalone Redis, in the place of a URL
    #[arg(long = "redis-host", env = "REDIS_HOST")]
    pub host: Option<String>,
    /// Its port
    #[arg(long = "redis-port", env = "REDIS_PORT", default_value_t = 6379)]
    pub port: u16,
    /// Its password; better given as the variable, because flags show in the list of processes
    #[arg(long = "redis-password", env = "REDIS_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Its database
    #[arg(long = "redis-db", env = "REDIS_DB", default_value_t = 0)]
    pub db: u16,
    /// Whether to speak TLS with it
    #[arg(long = "redis-tls", env = "REDIS_TLS", default_value_t = false, action = clap::ArgAction::Set)]
    pub tls: bool,
    /// Not yet taken: named here so that a fleet set up for Sentinel is refused and does not start a Redis of its own
    #[arg(long = "redis-sentinels", env = "REDIS_SENTINELS", hide = true)]
    pub sentinels: Option<String>,
    /// Not yet taken, like the above
    #[arg(long = "redis-cluster-nodes", env = "REDIS_CLUSTER_NODES", hide = true)]
    pub cluster_nodes: Option<String>,
    /// Put before every key and channel
    #[arg(long = "redis-key-prefix", env = "REDIS_KEY_PREFIX", default_value = "fp:", value_parser = key_prefix)]
    pub key_prefix: String,
    /// Milliseconds that a connection attempt or an answer may take before Redis counts as away
    #[arg(long = "redis-timeout", env = "REDIS_TIMEOUT_MS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    pub timeout_ms: u32,
    /// The server that the embedded Redis runs; searched for in PATH if not given
    #[arg(long = "redis-server-bin", env = "REDIS_SERVER_BIN")]
    pub server_bin: Option<PathBuf>,
    /// When the embedded Redis's append-only file is synced to the disk
    #[arg(long = "redis-append-fsync", env = "REDIS_APPEND_FSYNC", value_enum, default_value_t)]
    pub append_fsync: AppendFsync,
}

/// Braces would be taken for the hash tag that puts the keys of a partition into one slot.
fn key_prefix(prefix: &str) -> Result<String, &'static str> {
    if prefix.contains(['{', '}']) {
        Err("must not contain braces")
    } else {
        Ok(prefix.to_owned())
    }
}

impl fmt::Debug for RedisSettings {
    /// Without the password, which a URL may hold as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Where Redis comes from.
#[derive(Debug, Clone)]
pub enum RedisSource {
    /// A child of ours.
    Embedded,
    /// One server at an address.
    Standalone(Box<redis::ConnectionInfo>),
}

/// Settings that contradict each other or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RedisSourceError {
    /// Both ways of naming a server.
    #[error("give REDIS_URL or REDIS_HOST, not both")]
    Both,
    /// A mode that is to come.
    #[error("Sentinel and Cluster are not supported yet; give REDIS_URL or REDIS_HOST")]
    NotYet,
    /// Not a URL of ours. The URL is not repeated: it may hold a password.
    #[error("REDIS_URL is not a redis://, rediss:// or unix:// URL")]
    Url,
}

impl RedisSettings {
    /// What the settings come to.
    ///
    /// # Errors
    /// [`RedisSourceError`].
    pub fn source(&self) -> Result<RedisSource, RedisSourceError> {
        // A variable that is set to nothing, as compose files like to do, is a variable that is not set.
        let given = |value: &'_ Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
        if given(&self.sentinels) || given(&self.cluster_nodes) {
            return Err(RedisSourceError::NotYet);
        }
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        match (url, host) {
            (Some(_), Some(_)) => Err(RedisSourceError::Both),
            (Some(url), None) => redis::IntoConnectionInfo::into_connection_info(url)
                .map(|address| RedisSource::Standalone(Box::new(address)))
                .map_err(|_may_hold_a_password| RedisSourceError::Url),
            (None, Some(host)) => Ok(RedisSource::Standalone(Box::new(self.address(host)?))),
            (None, None) => Ok(RedisSource::Embedded),
        }
    }

    fn address(&self, host: &str) -> Result<redis::ConnectionInfo, RedisSourceError> {
        let host = host.to_owned();
        let addr = if self.tls {
            redis::ConnectionAddr::TcpTls {
                host,
                port: self.port,
                insecure: false,
                tls_params: None,
            }
        } else {
            redis::ConnectionAddr::Tcp(host, self.port)
        };
        let mut login = redis::RedisConnectionInfo::default().set_db(i64::from(self.db));
        if let Some(password) = self.password.as_deref().filter(|password| !password.is_empty()) {
            login = login.set_password(password);
        }
        let info = redis::IntoConnectionInfo::into_connection_info(addr);
        Ok(info
            .map_err(|_unlikely| RedisSourceError::Url)?
            .set_redis_settings(login))
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms))
    }
}
