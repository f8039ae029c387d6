use redis::RedisError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded Redis did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The machine has neither `redis-server` nor `valkey-server`.
    #[error(
        "neither redis-server nor valkey-server is in PATH; `make setup` installs it, or the system's package manager \
         does (Debian: apt-get install redis-server), or REDIS_SERVER_BIN names one"
    )]
    NotInstalled,
    /// The configured binary cannot be run, or is not a Redis server.
    #[error("{} cannot be used as the Redis server: {reason}; correct REDIS_SERVER_BIN", path.display())]
    Unusable {
        /// The binary.
        path: PathBuf,
        /// The result of running it with `--version`.
        reason: String,
    },
    /// The binary is older than the oldest supported version.
    #[error("{} is version {version}; install Redis or Valkey 7.0 or newer, or set REDIS_SERVER_BIN", path.display())]
    TooOld {
        /// The binary.
        path: PathBuf,
        /// The version it reports.
        version: String,
    },
    /// Another service uses this data folder.
    #[error("{} is in use by another fleetpulse{}; give each its own data folder (--data-dir)", folder.display(), owner(*pid))]
    InUse {
        /// The server's folder.
        folder: PathBuf,
        /// The pid of the other service, if it is known.
        pid: Option<u32>,
    },
    /// A server that an earlier run of the service left running cannot be stopped.
    #[error("a Redis server that an earlier run left in {} does not stop; stop it manually", folder.display())]
    OrphanStays {
        /// The server's folder.
        folder: PathBuf,
    },
    /// The server exited during its start, or did not answer.
    #[error("the Redis server does not start: {reason}")]
    NotStarted {
        /// How it exited, and its last output.
        reason: String,
    },
    /// The path of the socket does not fit into a socket address, and this system has no `/proc` to shorten it.
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
        /// The error of the operating system.
        source: io::Error,
    },
    /// The client library refused the address.
    #[error("address of the embedded Redis: {0}")]
    Address(#[from] RedisError),
}

impl EmbeddedError {
    /// Returns a function for `map_err` on an operation on `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}
