//! Detects that Redis's data was flushed, or that another server has taken its place.
//!
//! Everything that a process has cached about Redis is wrong then. A random value under one key identifies the data, and the `run_id`
//! identifies the server. When either changes, the store's generation is incremented. Caches compare the generation, or wait for its
//! change.

use super::error::StoreError;
use super::link::Link;
use redis::cmd;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

/// How often the identity of Redis is checked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The identity of a Redis: its data and its server.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    data: String,
    /// `None` if the server does not report it; only the data is compared then.
    server: Option<String>,
}

/// Checks forever whether Redis is still the same one. Runs once in a process.
pub async fn watch_life(link: Link) {
    let mut tick = interval(ASK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<Identity> = None;
    loop {
        tick.tick().await;
        match identity(&link).await {
            Ok(found) => {
                if known.as_ref().is_some_and(|known| *known != found) {
                    tracing::warn!("Redis was flushed or replaced; everything cached about it is discarded");
                    link.store().begin_generation();
                }
                known = Some(found);
            }
            Err(error) => tracing::debug!(%error, "the identity of Redis cannot be read"),
        }
    }
}

async fn identity(link: &Link) -> Result<Identity, StoreError> {
    let key = link.store().keys().life();
    let data: Option<String> = link.query(cmd("GET").arg(&key)).await?;
    let data = match data {
        Some(data) => data,
        None => begin_life(link, &key).await?,
    };
    let info: Result<String, _> = link.query(cmd("INFO").arg("server")).await;
    let server = match info {
        Ok(info) => info
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .map(str::to_owned),
        // The Redis user may not be allowed to run this command.
        Err(StoreError::Refused(_) | StoreError::Answer(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(Identity { data, server })
}

/// Writes a mark to data that have none, unless another instance does so at the same moment. Returns the mark that is stored.
async fn begin_life(link: &Link, key: &str) -> Result<String, StoreError> {
    let keys = link.store().keys();
    let mut layout = cmd("SET");
    layout.arg(keys.layout()).arg(keys.partitions()).arg("NX");
    let _: Option<String> = link.query(&layout).await?;
    let mark = Uuid::new_v4().simple().to_string();
    let mut set = cmd("SET");
    set.arg(key).arg(&mark).arg("NX").arg("GET");
    let stored: Option<String> = link.query(&set).await?;
    Ok(stored.unwrap_or(mark))
}
