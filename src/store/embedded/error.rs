use redis::RedisError;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no embedded Redis.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The machine has neither `redis-server` nor `valkey-server`.
    #[error(
        "neither redis-server nor valkey-server is in PATH; `make setup` installs it, or the system's package manager \
         does (Debian: apt-get install redis-server), or REDIS_SERVER_BIN names one"
    )]
    NotInstalled,
    /// The binary that the settings name cannot be run, or is something else.
    #[error("{} cannot be used as the Redis server: {reason}", path.display())]
    Unusable {
        /// The binary.
        path: PathBuf,
        /// What happened when it was asked for its version.
        reason: String,
    },
    /// The binary is older than the oldest that the service works with.
    #[error("{} is version {version}; 7.0 or newer is needed", path.display())]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// The version it reports.
        version: String,
    },
    /// Another service runs on this data folder.
    #[error("{} is in use by another fleetpulse{}; give each its own data folder (--data-dir)", folder.display(), owner(*pid))]
    InUse {
        /// The server's folder.
        folder: PathBuf,
        /// The pid of the other service, if it is known.
        pid: Option<u32>,
    },
    /// The server that an earlier service left behind does not end.
    #[error("a Redis server that an earlier run left in {} does not end; stop it by hand", folder.display())]
    OrphanStays {
        /// The server's folder.
        folder: PathBuf,
    },
    /// The server started and ended, or never answered.
    #[error("the Redis server does not start: {reason}")]
    NotStarted {
        /// How it ended, and its last output.
        reason: String,
    },
    /// The path of the socket does not fit into a socket address, and this system knows no way around it.
    #[error("the path of {} is too long for a unix socket; choose a shorter data folder", folder.display())]
    PathTooLong {
        /// The server's folder.
        folder: PathBuf,
    },
    /// A file or process operation failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or process.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The client library refused the address.
    #[error("address of the embedded Redis: {0}")]
    Address(#[from] RedisError),
}

impl EmbeddedError {
    /// For `map_err` on an operation on `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}
