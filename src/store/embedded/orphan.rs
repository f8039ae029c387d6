//! Stops the server processes that an earlier service, or a server that has just crashed, left running in the folder.
//!
//! A lock shows whether such a process exists. A pid file could not: after a kill it remains, and its pid may belong to another process.
//! The service opens and locks `server.lock`, and passes it to the server as standard output. The lock belongs to the open file, which
//! the server and its forks inherit, so it is released exactly when the last of them has exited.

use super::error::EmbeddedError;
use super::home::{Home, private_file};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, ServerErrorKind};
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;
use tokio::time::{self, Instant};
use tracing::{info, warn};

/// How long a server may take to answer PING before it counts as frozen.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a server that answers may take to sync its file and exit.
const EXITS_WITHIN: Duration = Duration::from_secs(30);
/// How long a server that does not answer gets between SIGTERM and SIGKILL, and how long the wait after SIGKILL lasts.
const DIES_WITHIN: Duration = Duration::from_secs(3);

/// Stops all processes that hold the lock, and returns the locked console file for the next server.
pub(super) async fn clear(home: &Home) -> Result<File, EmbeddedError> {
    let path = home.console();
    let console = private_file()
        .append(true)
        .open(&path)
        .map_err(EmbeddedError::io(&path))?;
    if !freed(&console, &path, Duration::ZERO).await? {
        warn!(folder = %home.dir().display(), "a Redis server of an earlier run is still running; stopping it");
        end(home, &console, &path).await?;
        info!("the Redis server of the earlier run has stopped");
    }
    console.set_len(0).map_err(EmbeddedError::io(&path))?;
    Ok(console)
}

/// Stops the server: with SHUTDOWN, then SIGTERM, then SIGKILL.
async fn end(home: &Home, console: &File, path: &Path) -> Result<(), EmbeddedError> {
    if let Some(mut connection) = answering(home).await {
        // Redis replies to SHUTDOWN by closing the connection.
        let _: Result<(), RedisError> = redis::cmd("SHUTDOWN").query_async(&mut connection).await;
        if freed(console, path, EXITS_WITHIN).await? {
            return Ok(());
        }
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in holders(home) {
            warn!(%pid, %signal, "the Redis server of the earlier run does not answer; sending it a signal");
            match kill(pid, signal) {
                // It has exited in the meantime, or belongs to another user: the lock shows which.
                Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
                Err(errno) => warn!(%pid, %errno, "cannot send a signal to the Redis server of the earlier run"),
            }
        }
        if freed(console, path, DIES_WITHIN).await? {
            return Ok(());
        }
    }
    Err(EmbeddedError::OrphanStays {
        folder: home.dir().to_owned(),
    })
}

/// Returns a connection to the folder's server if it accepts the folder's password and answers. `LOADING` counts as an answer.
async fn answering(home: &Home) -> Option<MultiplexedConnection> {
    let client = Client::open(home.connection_info().ok()?).ok()?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWERS_WITHIN))
        .set_response_timeout(Some(ANSWERS_WITHIN));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .ok()?;
    match redis::cmd("PING").query_async::<()>(&mut connection).await {
        Ok(()) => Some(connection),
        Err(error) if is_loading(&error) => Some(connection),
        Err(_) => None,
    }
}

/// Returns whether a server runs but still loads its data.
pub(super) fn is_loading(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::BusyLoading.into()
}

/// Returns whether the lock could be acquired within `patience`. A blocking call could not be cancelled, so the lock is polled with
/// growing pauses.
async fn freed(console: &File, path: &Path, patience: Duration) -> Result<bool, EmbeddedError> {
    let give_up = Instant::now() + patience;
    let mut pause = Duration::from_millis(2);
    loop {
        match console.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(source)) => {
                return Err(EmbeddedError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Returns the processes whose working directory is the folder **and** whose standard output is its console: servers that this service
/// started and their forks, whatever their names, and no other process. Empty on systems without `/proc`.
fn holders(home: &Home) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let leads_to = |link: &str, place: &Path| fs::read_link(link).is_ok_and(|target| target == place);
    let console = home.console();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            leads_to(&format!("/proc/{pid}/cwd"), home.dir()) && leads_to(&format!("/proc/{pid}/fd/1"), &console)
        })
        .map(Pid::from_raw)
        .collect()
}
