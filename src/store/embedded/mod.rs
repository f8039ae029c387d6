//! The embedded Redis: a private `redis-server` (or `valkey-server`) child, if the settings name no Redis.
//!
//! Invariant: at most one server writes the append-only file of a data folder at any time, and every acknowledged write is in it, no
//! matter how the service or the server dies. The files in `<data_dir>/redis/`:
//!
//! | file | content |
//! |---|---|
//! | `owner.lock` | locked by the service that owns the folder; contains its pid for the error message of a second one |
//! | `server.lock` | standard output of the server, **locked while the server or a fork of it runs** |
//! | `redis.sock` | the socket of the server; there is no TCP port |
//! | `password` | 256 random bits in hex, mode 0600; kept, so that the next service can connect to an orphan |
//! | `redis.log` | the server's log |
//! | `appendonlydir/` | the data |
//!
//! ```text
//!   start ─▶ Running ──server dies──▶ Restarting ──PONG──▶ Running …
//!               └──────── stop ───────────┴─────────────▶ Stopped
//! ```
//!
//! The server has its own process group: Ctrl-C in a terminal reaches only the service, which first writes its positions to Redis and
//! then stops the server. A `kill -9` of the service leaves the server running; the next start finds `server.lock` locked, ends that server
//! (`orphan.rs`) and starts a new one.

mod binary;
mod compact;
mod conf;
mod error;
mod home;
mod memory;
mod orphan;
mod server;
mod settings;
mod supervisor;
mod sync;
#[cfg(test)]
mod tests;

pub use error::EmbeddedError;
pub use memory::half_of_memory;
pub use settings::{AppendFsync, EmbeddedSettings};
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

/// A running embedded Redis. [`Embedded::stop`] ends it gracefully; dropping it kills the server, best effort.
#[derive(Debug)]
pub struct Embedded {
    connection_info: ConnectionInfo,
    folder: PathBuf,
    status: watch::Receiver<Status>,
    /// Requests a graceful end. If it is dropped, as in a panic, the supervisor kills the server.
    stop: oneshot::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl Embedded {
    /// Locks the data folder, ends a server that an earlier service left running, starts the server and waits until it answers. It waits
    /// up to ten minutes for a large append-only file to load.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`EmbeddedError::NotInstalled`] if the machine has no such server; the service can run without it. Every other error has to be
    /// reported: the folder is in use or not writable, or the server is too old or does not start.
    pub async fn start(settings: &EmbeddedSettings) -> Result<Self, EmbeddedError> {
        let binary = Binary::find(settings.binary.as_deref()).await?;
        let home = claim(settings).await?;
        let folder = home.dir().to_owned();
        let connection_info = home.connection_info()?;
        let launcher = Launcher::new(home, binary, settings)?;
        let server = Server::launch(&launcher).await?;
        info!(pid = server.pid(), binary = %launcher.binary(), folder = %folder.display(), "embedded Redis has started");

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

    /// Returns the address and password of the server, for `redis::Client`. They stay the same over restarts.
    #[must_use]
    pub fn connection_info(&self) -> ConnectionInfo {
        self.connection_info.clone()
    }

    /// Returns the absolute path of the server's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the state of the server, with notification of changes.
    #[must_use]
    pub fn events(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Ends the server: it rewrites its append-only file if that has grown long and takes no more than 5 s, writes and syncs
    /// it and exits, or is killed if that takes more than 10 s.
    /// Returns when the process is gone and the folder is free for another.
    pub async fn stop(self) {
        // A supervisor that has ended has stopped its server, so both results are ignored.
        let _ = self.stop.send(());
        let _ = self.supervisor.await;
    }
}

/// Locks the folder. The kernel may not have released the lock of a service that was killed a moment ago, so only one that holds the lock
/// for half a second counts as running.
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
