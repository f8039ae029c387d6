//! Ends the server processes that an earlier service, or a server that has just died, left running in the folder.
//!
//! Whether anything is left is not asked of a pid file, which a kill leaves stale and a reused pid makes a lie. A server's
//! standard output is `server.lock`, opened and locked by the service before the server starts. Such a lock belongs to
//! the open file, which server and forks inherit: it is free exactly when the last of them is gone.

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
/// How long one that answers may take to sync its file and end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// How long one that does not answer gets between SIGTERM and SIGKILL, and after.
const DIES_WITHIN: Duration = Duration::from_secs(3);

/// The locked console file, for the next server to inherit. Ends what holds it first.
pub(super) async fn clear(home: &Home) -> Result<File, EmbeddedError> {
    let path = home.console();
    let console = private_file()
        .append(true)
        .open(&path)
        .map_err(EmbeddedError::io(&path))?;
    if !freed(&console, &path, Duration::ZERO).await? {
        warn!(folder = %home.dir().display(), "a Redis server of an earlier run is still there; ending it");
        end(home, &console, &path).await?;
        info!("the earlier Redis server has ended");
    }
    console.set_len(0).map_err(EmbeddedError::io(&path))?;
    Ok(console)
}

/// Ends the server: by SHUTDOWN, then SIGTERM, then SIGKILL.
async fn end(home: &Home, console: &File, path: &Path) -> Result<(), EmbeddedError> {
    if let Some(mut connection) = answering(home).await {
        // The answer to SHUTDOWN is a closed connection.
        let _: Result<(), RedisError> = redis::cmd("SHUTDOWN").query_async(&mut connection).await;
        if freed(console, path, ENDS_WITHIN).await? {
            return Ok(());
        }
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in holders(home) {
            warn!(%pid, %signal, "the earlier Redis server does not answer");
            match kill(pid, signal) {
                // It has ended meanwhile, or belongs to another user: the lock shows which.
                Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
                Err(errno) => warn!(%pid, %errno, "kill"),
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

/// A connection to the folder's server, if one listens, takes the folder's password and answers. Loading is an answer.
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

/// Whether a server is alive but still reading its data.
pub(super) fn is_loading(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::BusyLoading.into()
}

/// Whether the lock could be taken within `patience`. The kernel tells of its release only to a blocked thread, which could
/// not be called back, so it is tried at growing intervals.
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

/// The processes that work in the folder **and** have its console as standard output: servers we started and their forks,
/// regardless of their names, and no other process. Empty where there is no `/proc`.
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
