use crate::settings::bytes;
use crate::store::embedded::AppendFsync;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of Redis. If none is given, the service starts the embedded Redis.
#[derive(Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// URL of a standalone Redis: `redis://`, `rediss://` (TLS) or `unix://`; without it and without a host the service runs
    /// the embedded Redis
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Host of a standalone Redis, instead of a URL; not allowed together with a URL, like the four settings that follow
    #[arg(long = "redis-host", env = "REDIS_HOST")]
    pub host: Option<String>,
    /// Port of that Redis; 6379 if not given
    #[arg(long = "redis-port", env = "REDIS_PORT")]
    pub port: Option<u16>,
    /// Password of that Redis; set the variable and not the flag, because flags are visible in the list of processes
    #[arg(long = "redis-password", env = "REDIS_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Database of that Redis; 0 if not given
    #[arg(long = "redis-db", env = "REDIS_DB")]
    pub db: Option<u16>,
    /// Whether to connect to that Redis with TLS; false if not given
    #[arg(long = "redis-tls", env = "REDIS_TLS", action = clap::ArgAction::Set)]
    pub tls: Option<bool>,
    /// Not supported yet; defined so that a configuration for Sentinel is refused and does not start the embedded Redis
    #[arg(long = "redis-sentinels", env = "REDIS_SENTINELS", hide = true)]
    pub sentinels: Option<String>,
    /// Not supported yet, like the above
    #[arg(long = "redis-cluster-nodes", env = "REDIS_CLUSTER_NODES", hide = true)]
    pub cluster_nodes: Option<String>,
    /// Prefix of every key and channel; in channels the database number follows it: `fp:db0:inventory`
    #[arg(long = "redis-key-prefix", env = "REDIS_KEY_PREFIX", default_value = "fp:", value_parser = key_prefix)]
    pub key_prefix: String,
    /// Timeout of a connection attempt and of a reply, milliseconds; then Redis counts as unavailable
    #[arg(long = "redis-timeout", env = "REDIS_TIMEOUT_MS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    pub timeout_ms: u32,
    /// Binary of the embedded Redis, 7.0 or newer; searched for in PATH if not given
    #[arg(long = "redis-server-bin", env = "REDIS_SERVER_BIN")]
    pub server_bin: Option<PathBuf>,
    /// When the embedded Redis syncs its append-only file to the disk: once a second (`everysec`, if not given), or before
    /// every reply (`always`)
    #[arg(long = "redis-append-fsync", env = "REDIS_APPEND_FSYNC", value_enum)]
    pub append_fsync: Option<AppendFsync>,
    /// Maximum memory of the embedded Redis for its data, such as 2gb; 0 for no limit. If not given, half of this machine's
    /// memory, or of the lowest limit of its cgroups. A full Redis refuses writes and evicts nothing
    #[arg(long = "redis-max-memory", env = "REDIS_MAX_MEMORY", value_parser = bytes)]
    pub max_memory: Option<u64>,
    /// Percentage of Redis's memory from which on nothing new is stored, and calls that create something are answered 503
    /// `storage_full`; 100 for no such limit. The memory is Redis's maxmemory, or that of its machine if it has none
    #[arg(long = "redis-full-percent", env = "REDIS_FULL_PERCENT", default_value_t = 90, value_parser = clap::value_parser!(u8).range(10..=100))]
    pub full_percent: u8,
}

/// Refuses braces, because they would act as the hash tag that determines the slot of a key.
fn key_prefix(prefix: &str) -> Result<String, &'static str> {
    if prefix.contains(['{', '}']) {
        Err("must not contain braces")
    } else {
        Ok(prefix.to_owned())
    }
}

impl fmt::Debug for RedisSettings {
    /// Omits the password, and the URL, which may contain one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The source of Redis.
#[derive(Debug, Clone)]
pub enum RedisSource {
    /// The embedded Redis, a child process.
    Embedded,
    /// One server at an address.
    Standalone(Box<redis::ConnectionInfo>),
}

/// Why the settings of Redis are invalid.
#[derive(Debug, thiserror::Error)]
pub enum RedisSourceError {
    /// Both a URL and a host are given.
    #[error("give REDIS_URL or REDIS_HOST, not both")]
    Both,
    /// A mode that is not supported yet.
    #[error("Sentinel and Cluster are not supported yet; give REDIS_URL or REDIS_HOST")]
    NotYet,
    /// A part of an address is given together with a URL, which contains all of them.
    #[error(
        "REDIS_URL and {0} are both set; write it into the URL, as in rediss://USER:PASSWORD@HOST:PORT/DB, and remove {0}, or set \
         REDIS_HOST in the place of REDIS_URL"
    )]
    BesideUrl(&'static str),
    /// A part of an address is given without a host.
    #[error("{0} is set without REDIS_HOST; set REDIS_HOST as well, or remove {0} to run the embedded Redis")]
    WithoutHost(&'static str),
    /// A setting of the embedded Redis is given together with the address of another Redis.
    #[error(
        "{0} is for the embedded Redis, and another Redis is named; set this in the configuration of that Redis, and remove {0}"
    )]
    NotEmbedded(&'static str),
    /// The URL is invalid. It is not repeated, because it may contain a password.
    #[error("REDIS_URL is not a redis://, rediss:// or unix:// URL")]
    Url,
}

impl RedisSettings {
    /// Returns the source of Redis by these settings.
    ///
    /// # Errors
    /// [`RedisSourceError`].
    pub fn source(&self) -> Result<RedisSource, RedisSourceError> {
        // An empty variable counts as not set; compose files often set empty variables.
        let given = |value: &'_ Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
        if given(&self.sentinels) || given(&self.cluster_nodes) {
            return Err(RedisSourceError::NotYet);
        }
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        let named = url.is_some() || host.is_some();
        if let Some(name) = self.of_embedded().filter(|_| named) {
            return Err(RedisSourceError::NotEmbedded(name));
        }
        if let Some(name) = self.part().filter(|_| host.is_none()) {
            return Err(match url {
                Some(_) => RedisSourceError::BesideUrl(name),
                None => RedisSourceError::WithoutHost(name),
            });
        }
        match (url, host) {
            (Some(_), Some(_)) => Err(RedisSourceError::Both),
            (Some(url), None) => redis::IntoConnectionInfo::into_connection_info(url)
                .map(|address| RedisSource::Standalone(Box::new(address)))
                .map_err(|_may_hold_a_password| RedisSourceError::Url),
            (None, Some(host)) => Ok(RedisSource::Standalone(Box::new(self.address(host)?))),
            (None, None) => Ok(RedisSource::Embedded),
        }
    }

    /// Returns the first given setting of those that complete `REDIS_HOST`.
    fn part(&self) -> Option<&'static str> {
        let password = self.password.as_deref().is_some_and(|password| !password.is_empty());
        [
            ("REDIS_PORT", self.port.is_some()),
            ("REDIS_PASSWORD", password),
            ("REDIS_DB", self.db.is_some()),
            ("REDIS_TLS", self.tls.is_some()),
        ]
        .into_iter()
        .find_map(|(name, is_given)| is_given.then_some(name))
    }

    /// Returns the first given setting of those that configure the embedded Redis, except its binary, which has no effect on another Redis.
    fn of_embedded(&self) -> Option<&'static str> {
        [
            ("REDIS_APPEND_FSYNC", self.append_fsync.is_some()),
            ("REDIS_MAX_MEMORY", self.max_memory.is_some()),
        ]
        .into_iter()
        .find_map(|(name, is_given)| is_given.then_some(name))
    }

    fn address(&self, host: &str) -> Result<redis::ConnectionInfo, RedisSourceError> {
        let host = host.to_owned();
        let port = self.port.unwrap_or(6379);
        let addr = if self.tls.unwrap_or(false) {
            redis::ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            redis::ConnectionAddr::Tcp(host, port)
        };
        let mut login = redis::RedisConnectionInfo::default().set_db(i64::from(self.db.unwrap_or(0)));
        if let Some(password) = self.password.as_deref().filter(|password| !password.is_empty()) {
            login = login.set_password(password);
        }
        let info = redis::IntoConnectionInfo::into_connection_info(addr);
        Ok(info
            .map_err(|_unlikely| RedisSourceError::Url)?
            .set_redis_settings(login))
    }

    /// Returns the timeout of a reply.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        redis: RedisSettings,
    }

    fn source(flags: &[&str]) -> Result<RedisSource, RedisSourceError> {
        let flags = ["fleetpulse"].iter().chain(flags);
        Line::try_parse_from(flags).unwrap().redis.source()
    }

    const URL: &str = "--redis-url=redis://:hidden-url@redis";

    #[test]
    fn a_setting_that_would_be_ignored_is_refused_with_what_to_do() {
        for (flags, named) in [
            (vec![URL, "--redis-password=hidden"], "REDIS_PASSWORD"),
            (vec![URL, "--redis-db=1"], "REDIS_DB"),
            (vec![URL, "--redis-tls=true"], "REDIS_TLS"),
            (vec![URL, "--redis-port=6380"], "REDIS_PORT"),
            (vec![URL, "--redis-host=hidden"], "REDIS_HOST"),
            (vec![URL, "--redis-append-fsync=always"], "REDIS_APPEND_FSYNC"),
            (
                vec!["--redis-host=hidden", "--redis-max-memory=1gb"],
                "REDIS_MAX_MEMORY",
            ),
            (vec!["--redis-password=hidden"], "REDIS_PASSWORD"),
            (vec!["--redis-port=6380"], "REDIS_PORT"),
        ] {
            let error = source(&flags).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hidden"), "{flags:?}: {error}");
        }
    }

    #[test]
    fn valid_combinations_are_accepted() {
        let parts = [
            "--redis-host=h",
            "--redis-port=1",
            "--redis-db=2",
            "--redis-tls=true",
            "--redis-password=p",
        ];
        for flags in [
            &[][..],
            &[URL],
            &[URL, "--redis-password=", "--redis-host="],
            &parts,
            &["--redis-append-fsync=always", "--redis-max-memory=0"],
        ] {
            source(flags).unwrap();
        }
    }

    #[test]
    fn no_form_of_the_settings_shows_a_secret() {
        let line = ["fleetpulse", URL, "--redis-password=hidden-password"];
        let settings = Line::try_parse_from(line).unwrap().redis;
        assert!(!format!("{settings:?}").contains("hidden"), "{settings:?}");
        let RedisSource::Standalone(address) = source(&[URL]).unwrap() else {
            panic!("not a URL's");
        };
        let shown = format!("{:?}", RedisSource::Standalone(address));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
