//! The embedded Redis: a private `redis-server` (or `valkey-server`) child, for those who give the service no Redis.
//!
//! Invariant: at most one server ever writes the append-only file of a data folder, and every acknowledged write is in
//! it, whichever of service and server dies, and however. What stands in `<data_dir>/redis/`:
//!
//! | file | what |
//! |---|---|
//! | `owner.lock` | locked by the service that owns the folder; holds its pid for the message to a second one |
//! | `server.lock` | standard output of the server (its first words), **locked for as long as the server or a fork of it lives** |
//! | `redis.sock` | where the server listens; there is no TCP port |
//! | `password` | 256 random bits in hex, mode 0600; stays, so that the next service can talk to an orphan |
//! | `redis.log` | the server's log |
//! | `appendonlydir/` | the data |
//!
//! ```text
//!   start ─▶ Running ──server dies──▶ Restarting ──PONG──▶ Running …
//!               └──────── stop ───────────┴─────────────▶ Stopped
//! ```
//!
//! The server has a process group of its own: Ctrl-C in a terminal reaches the service, which drains into Redis first
//! and stops it after. A `kill -9` of the service leaves the server running; the next start finds the lock on
//! `server.lock` taken, ends that server (`orphan.rs`) and starts anew.

mod binary;
mod compact;
mod conf;
mod error;
mod home;
mod memory;
mod orphan;
mod server;
mod supervisor;
mod sync;
#[cfg(test)]
mod tests;

pub use conf::AppendFsync;
pub use error::EmbeddedError;
pub use memory::half_of_memory;
pub use supervisor::{Phase, Status};

use binary::Binary;
use home::Home;
use redis::ConnectionInfo;
use server::{Launcher, Server};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time;
use tracing::info;

/// How the embedded Redis is to run.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// The service's data folder; the server's own is `redis/` inside it. Made if it is not there.
    pub data_dir: PathBuf,
    /// The server's binary. Without one: `redis-server`, then `valkey-server`, from `PATH`.
    pub binary: Option<PathBuf>,
    /// When a write reaches the disk.
    pub append_fsync: AppendFsync,
    /// The most memory its data may take, bytes; above it writes are refused, nothing is evicted. 0 means no limit.
    pub max_memory_bytes: u64,
}

impl EmbeddedSettings {
    /// The defaults for a data folder: binary from `PATH`, an fsync every second, no memory limit.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            binary: None,
            append_fsync: AppendFsync::EverySec,
            max_memory_bytes: 0,
        }
    }
}

/// A running embedded Redis. [`Embedded::stop`] ends it gracefully; dropping it kills the server, best effort.
#[derive(Debug)]
pub struct Embedded {
    connection_info: ConnectionInfo,
    folder: PathBuf,
    status: watch::Receiver<Status>,
    /// Sent to for a graceful end. Dropped unsent, as in a panic, it tells the supervisor to kill.
    stop: oneshot::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl Embedded {
    /// Takes the data folder, ends what an earlier service left running there, starts the server and waits until it
    /// answers. A large append-only file takes its time to load: that is waited for (ten minutes at the most).
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`EmbeddedError::NotInstalled`] if the machine has no such server: the service can run without. Everything else is
    /// a fault to report: the folder in use or not writable, a server too old, or one that does not start.
    pub async fn start(settings: &EmbeddedSettings) -> Result<Self, EmbeddedError> {
        let binary = Binary::find(settings.binary.as_deref()).await?;
        let home = claim(settings).await?;
        let folder = home.dir().to_owned();
        let connection_info = home.connection_info()?;
        let launcher = Launcher::new(home, binary, settings)?;
        let server = Server::launch(&launcher).await?;
        info!(pid = server.pid(), binary = %launcher.binary(), folder = %folder.display(), "embedded Redis runs");

        let (announce, status) = watch::channel(Status::running(server.pid()));
        let (stop, stopping) = oneshot::channel();
        let supervisor = tokio::spawn(supervisor::supervise(
            launcher,
            server,
            settings.append_fsync,
            announce,
            stopping,
        ));
        Ok(Self {
            connection_info,
            folder,
            status,
            stop,
            supervisor,
        })
    }

    /// Where the server listens and its password: a `redis::Client` opens from it. Stays the same over restarts.
    #[must_use]
    pub fn connection_info(&self) -> ConnectionInfo {
        self.connection_info.clone()
    }

    /// The server's folder, absolute.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's state, now and at every change.
    #[must_use]
    pub fn events(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Ends the server: it rewrites its append-only file if that has grown long and takes no more than 5 s, writes and syncs
    /// it and exits, or is killed if that takes more than 10 s.
    /// Returns when the process is gone and the folder is free for another.
    pub async fn stop(self) {
        // A supervisor that is gone already has stopped its server on the way out, so neither result says anything.
        let _ = self.stop.send(());
        let _ = self.supervisor.await;
    }
}

/// Claims the folder. A service that was killed a moment ago may still be in the kernel's hands, its lock not yet let go:
/// only one that holds the lock for half a second counts as running.
async fn claim(settings: &EmbeddedSettings) -> Result<Home, EmbeddedError> {
    let mut tries_left = 10;
    loop {
        match Home::claim(&settings.data_dir) {
            Err(EmbeddedError::InUse { .. }) if tries_left > 0 => {
                tries_left -= 1;
                time::sleep(Duration::from_millis(50)).await;
            }
            claimed => return claimed,
        }
    }
}
