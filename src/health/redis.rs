use crate::store::{Link, StoreError};
use redis::{Pipeline, Value};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Instant;
use utoipa::ToSchema;

/// Entries of the slow log in a report.
const SLOW_COMMANDS: usize = 10;

/// The report of Redis.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RedisReport {
    /// Version of the server.
    pub version: String,
    /// `master` or `slave`, as Redis calls them.
    pub role: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// The round-trip time of the report, milliseconds.
    pub ping_ms: f64,
    /// Memory in use, bytes.
    pub used_memory_bytes: u64,
    /// The memory limit, bytes; 0 if there is none.
    pub max_memory_bytes: u64,
    /// Open connections.
    pub connected_clients: u64,
    /// Commands per second at the moment.
    pub ops_per_s: u64,
    /// Share of lookups that found their key, 0 to 1; null without lookups.
    pub hit_rate: Option<f64>,
    /// Whether the append-only file is enabled.
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

/// Reads the report of Redis in one pipeline.
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

/// Returns the CPU time that Redis has used, seconds.
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

/// Parses the lines `NAME:VALUE` of a reply to `INFO`.
pub(super) fn parse(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.split_once(':')).collect()
}

/// Parses an entry `[id, time, microseconds, [command, …], address, name]` of the slow log. The address, the name and the arguments are
/// left out, because they may be confidential.
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
