//! Rewrites the append-only file before a planned end, so that the next start loads the data and not their history: a
//! million positions in 2 s and not in 6.

use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};
use tokio::task;
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

/// A shorter history loads in less than a second.
const LONG: u64 = 32 * 1024 * 1024;
/// A stop must not take long; a rewrite that is not done by then is left undone, and the file stays as it was.
const WITHIN: Duration = Duration::from_secs(5);
/// How often the server is polled, because it does not report the end of a rewrite.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Lets the server behind `client` rewrite the file in `folder`, if its history is long. There must be no more writes.
pub(super) async fn compact(client: &Client, folder: &Path) {
    let folder = folder.to_owned();
    // It does not panic; a runtime that ends takes this task along.
    let Ok(measured) = task::spawn_blocking(move || history(&folder)).await else {
        return;
    };
    match measured {
        Ok(bytes) if bytes < LONG => return,
        Ok(bytes) => debug!(bytes, "the append-only file is rewritten"),
        Err(error) => {
            warn!(%error, "the append-only file cannot be measured");
            return;
        }
    }
    let started = Instant::now();
    match time::timeout(WITHIN, rewrite(client)).await {
        Ok(Ok(())) => info!(elapsed = ?started.elapsed(), "embedded Redis has rewritten its append-only file"),
        Ok(Err(error)) => warn!(%error, "the append-only file cannot be rewritten"),
        Err(_elapsed) => info!("the append-only file takes too long to rewrite; it stays as it is"),
    }
}

/// Bytes of commands since the last rewrite.
fn history(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            bytes += fs::metadata(&path)?.len();
        }
    }
    Ok(bytes)
}

async fn rewrite(client: &Client) -> Result<(), RedisError> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    // An error here is mostly a rewrite that is under way already; what is waited for is the same.
    if let Err(error) = redis::cmd("BGREWRITEAOF").query_async::<()>(&mut connection).await {
        debug!(%error, "no rewrite is begun");
    }
    while is_rewriting(&mut connection).await? {
        time::sleep(ASK_EVERY).await;
    }
    Ok(())
}

async fn is_rewriting(connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
    let info: redis::InfoDict = redis::cmd("INFO").arg("persistence").query_async(connection).await?;
    let is_on = |name| info.get::<u8>(name).is_some_and(|on| on > 0);
    Ok(is_on("aof_rewrite_in_progress") || is_on("aof_rewrite_scheduled"))
}
