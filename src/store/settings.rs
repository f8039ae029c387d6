use crate::settings::bytes;
use crate::store::embedded::AppendFsync;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where Redis is. Nothing given: the service starts one of its own.
#[derive(Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisSettings {
    /// URL of a standalone Redis: `redis://`, `rediss://` (TLS) or `unix://`; without it and without a host the service runs a
    /// Redis of its own
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Host of a standalone Redis, instead of a URL; not allowed beside a URL, like the four settings that follow
    #[arg(long = "redis-host", env = "REDIS_HOST")]
    pub host: Option<String>,
    /// Port of that Redis; 6379 if not given
    #[arg(long = "redis-port", env = "REDIS_PORT")]
    pub port: Option<u16>,
    /// Password of that Redis; set the variable rather than the flag, because flags show in the list of processes
    #[arg(long = "redis-password", env = "REDIS_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Database of that Redis; 0 if not given
    #[arg(long = "redis-db", env = "REDIS_DB")]
    pub db: Option<u16>,
    /// Whether to connect to that Redis with TLS; false if not given
    #[arg(long = "redis-tls", env = "REDIS_TLS", action = clap::ArgAction::Set)]
    pub tls: Option<bool>,
    /// Not yet taken: named here so that a fleet set up for Sentinel is refused and does not start a Redis of its own
    #[arg(long = "redis-sentinels", env = "REDIS_SENTINELS", hide = true)]
    pub sentinels: Option<String>,
    /// Not yet taken, like the above
    #[arg(long = "redis-cluster-nodes", env = "REDIS_CLUSTER_NODES", hide = true)]
    pub cluster_nodes: Option<String>,
    /// Prefix of every key and channel; in channels the number of the database follows it: `fp:db0:inventory`
    #[arg(long = "redis-key-prefix", env = "REDIS_KEY_PREFIX", default_value = "fp:", value_parser = key_prefix)]
    pub key_prefix: String,
    /// Milliseconds that a connection attempt or an answer may take before Redis counts as unavailable
    #[arg(long = "redis-timeout", env = "REDIS_TIMEOUT_MS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    pub timeout_ms: u32,
    /// Server that runs as the embedded Redis, 7.0 or newer; searched for in PATH if not given
    #[arg(long = "redis-server-bin", env = "REDIS_SERVER_BIN")]
    pub server_bin: Option<PathBuf>,
    /// When the embedded Redis syncs its append-only file to the disk: once a second (`everysec`, if not given), or before
    /// every answer (`always`)
    #[arg(long = "redis-append-fsync", env = "REDIS_APPEND_FSYNC", value_enum)]
    pub append_fsync: Option<AppendFsync>,
    /// Memory that the embedded Redis may use for its data, such as 2gb; 0 for no limit. If not given, half of this machine's
    /// memory, or of the least limit of its cgroups. A full Redis refuses writes and evicts nothing
    #[arg(long = "redis-max-memory", env = "REDIS_MAX_MEMORY", value_parser = bytes)]
    pub max_memory: Option<u64>,
    /// Percent of Redis's memory from which on nothing new is stored, and calls that create something are answered 503
    /// `storage_full`; 100 for no such bound. The memory is Redis's maxmemory, or that of its machine if it has none
    #[arg(long = "redis-full-percent", env = "REDIS_FULL_PERCENT", default_value_t = 90, value_parser = clap::value_parser!(u8).range(10..=100))]
    pub full_percent: u8,
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
    /// Parts of an address beside a URL, which has all of them.
    #[error(
        "REDIS_URL and {0} are both set; write it into the URL, as in rediss://USER:PASSWORD@HOST:PORT/DB, and remove {0}, or set \
         REDIS_HOST in the place of REDIS_URL"
    )]
    BesideUrl(&'static str),
    /// Parts of an address without a host.
    #[error("{0} is set without REDIS_HOST; set REDIS_HOST as well, or remove {0} to run the embedded Redis")]
    WithoutHost(&'static str),
    /// A setting of the embedded Redis beside the address of another.
    #[error(
        "{0} is for the embedded Redis, and another Redis is named; set this in the configuration of that Redis, and remove {0}"
    )]
    NotEmbedded(&'static str),
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

    /// The first setting that is given of those that complete `REDIS_HOST`.
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

    /// The first setting that is given of those that say how the embedded Redis runs. Not its binary: that only says which one would.
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

    /// How long an answer may take.
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
    fn what_belongs_together_is_taken() {
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
