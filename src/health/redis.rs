use crate::store::{Link, StoreError};
use redis::{Pipeline, Value};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Instant;
use utoipa::ToSchema;

/// Entries of the slow log in a report.
const SLOW_COMMANDS: usize = 10;

/// What Redis says of itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RedisReport {
    /// Version of the server.
    pub version: String,
    /// `master` or `slave`, as Redis calls them.
    pub role: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How long the report took to come, milliseconds.
    pub ping_ms: f64,
    /// Memory of its data, bytes.
    pub used_memory_bytes: u64,
    /// The most that it may use, bytes; 0 for no limit.
    pub max_memory_bytes: u64,
    /// Connections.
    pub connected_clients: u64,
    /// Commands a second, just now.
    pub ops_per_s: u64,
    /// Share of look-ups that found their key, 0 to 1; none without look-ups.
    pub hit_rate: Option<f64>,
    /// Whether its append-only file is on.
    pub append_only: bool,
    /// The latest slow commands, without their arguments.
    pub slow_commands: Vec<SlowCommand>,
}

/// A slow command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SlowCommand {
    /// Its name.
    pub command: String,
    /// When it ran, Unix seconds.
    pub at_s: i64,
    /// How long it ran, microseconds.
    pub duration_us: i64,
}

/// Asks Redis for its report, in one pipeline.
pub(super) async fn report(link: &Link) -> Result<RedisReport, StoreError> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("INFO").cmd("SLOWLOG").arg("GET").arg(SLOW_COMMANDS);
    let start = Instant::now();
    let (info, slow): (String, Vec<Value>) = link.pipeline(&pipeline).await?;
    let ping_ms = start.elapsed().as_secs_f64() * 1000.0;
    let info = parse(&info);
    let text = |name: &str| info.get(name).copied().unwrap_or_default().to_owned();
    let number = |name: &str| info.get(name).and_then(|value| value.parse().ok()).unwrap_or(0_u64);
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 15 digits")]
    let hit_rate = match (number("keyspace_hits"), number("keyspace_misses")) {
        (0, 0) => None,
        (hits, misses) => Some(hits as f64 / (hits + misses) as f64),
    };
    Ok(RedisReport {
        version: text("redis_version"),
        role: text("role"),
        uptime_s: number("uptime_in_seconds"),
        ping_ms,
        used_memory_bytes: number("used_memory"),
        max_memory_bytes: number("maxmemory"),
        connected_clients: number("connected_clients"),
        ops_per_s: number("instantaneous_ops_per_sec"),
        hit_rate,
        append_only: number("aof_enabled") == 1,
        slow_commands: slow.into_iter().filter_map(slow_command).collect(),
    })
}

/// CPU time that Redis has used, seconds.
pub(super) async fn cpu_seconds(link: &Link) -> Result<f64, StoreError> {
    let info: String = link.query(redis::cmd("INFO").arg("cpu")).await?;
    let info = parse(&info);
    let seconds = |name: &str| {
        info.get(name)
            .and_then(|value| value.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    Ok(seconds("used_cpu_user") + seconds("used_cpu_sys"))
}

/// The lines `NAME:VALUE` of an answer to `INFO`.
pub(super) fn parse(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.split_once(':')).collect()
}

/// An entry `[id, time, microseconds, [command, …], address, name]` of the slow log, less what is nobody's business.
fn slow_command(entry: Value) -> Option<SlowCommand> {
    let Value::Array(entry) = entry else { return None };
    let mut entry = entry.into_iter().skip(1);
    let at_s = redis::from_redis_value(entry.next()?).ok()?;
    let duration_us = redis::from_redis_value(entry.next()?).ok()?;
    let words: Vec<String> = redis::from_redis_value(entry.next()?).ok()?;
    Some(SlowCommand {
        command: words.into_iter().next()?,
        at_s,
        duration_us,
    })
}
