//! Watches Redis: whether it takes writes, by a probe and by the outcome of the service's own commands, how much of its memory is in
//! use, and how it is set up.

use super::{HealthMetrics, setup};
use crate::store::{Cause, Link, Memory, Script, StoreError};
use crate::telemetry::{Board, State};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new("probe", "", include_str!("lua/probe.lua")));

/// How often a probe is written.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How long a probe is kept by Redis: it goes away by itself once no instance runs.
const PROBE_LASTS: Duration = Duration::from_mins(1);
/// How often the memory of Redis is measured. What is created in between is not refused, so its share of the memory is exceeded by at
/// most that.
const MEMORY_EVERY: Duration = Duration::from_secs(1);
/// How often the setup of Redis is looked at.
const SETUP_EVERY: Duration = Duration::from_mins(1);

/// Watches for ever whether Redis takes writes, for the board and the metrics, and whether it has room for new data: not from
/// `full_percent` of its memory on.
pub async fn watch(link: Link, board: Arc<Board>, metrics: HealthMetrics, full_percent: u8) {
    let mut tick = interval(WATCH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut logged = Logged::default();
    let (mut memory_at, mut setup_at) = (Instant::now(), Instant::now());
    let mut generation = None;
    loop {
        tick.tick().await;
        let cause = match probe(&link).await {
            Ok(()) => link.store().trouble(),
            Err(error) => Some(why(&link, &error)),
        };
        metrics.redis_up.set(i64::from(cause.is_none()));
        if !link.store().is_configured() {
            board.set("redis", State::Degraded, Some(no_redis()));
            continue;
        }
        logged.note(&board, cause);
        if link.is_up() && Instant::now() >= memory_at {
            memory_at = Instant::now() + MEMORY_EVERY;
            measure(&link, &board, &metrics, full_percent).await;
        }
        let now = Some(link.store().generation());
        if (generation != now || Instant::now() >= setup_at) && setup::look(&link, &board).await.is_ok() {
            generation = now;
            setup_at = Instant::now() + SETUP_EVERY;
        }
    }
}

/// Returns why a probe failed. If it was not answered, the connection may just be replaced because Redis refused a command.
fn why(link: &Link, error: &StoreError) -> Cause {
    let cause = link.store().cause(error);
    match cause.code {
        Some(_) => cause,
        None => link.store().trouble().unwrap_or(cause),
    }
}

/// Writes a small key by a script.
async fn probe(link: &Link) -> Result<(), StoreError> {
    let key = link.store().keys().probe();
    let mut call = PROBE.call(1, 2, 64);
    call.arg(key).arg(PROBE_LASTS.as_millis().to_string());
    link.run::<u8>(&PROBE, &call).await.map(drop)
}

/// Measures the memory of Redis, and sets or removes the warning that nothing new is stored.
async fn measure(link: &Link, board: &Board, metrics: &HealthMetrics, full_percent: u8) {
    let memory = match link.measure_memory(full_percent).await {
        Ok(memory) => memory,
        Err(error) => return tracing::debug!(%error, "the memory of Redis cannot be measured"),
    };
    let (used, most) = memory.map_or((0, 0), |Memory { used, most, .. }| (used, most));
    metrics.redis_memory_used.set(i64::try_from(used).unwrap_or(i64::MAX));
    metrics.redis_memory_most.set(i64::try_from(most).unwrap_or(i64::MAX));
    let detail = link.store().is_nearly_full().then(|| {
        format!(
            "Redis uses {full_percent} % of its memory or more: nothing new is stored; delete data, raise maxmemory (embedded: \
             REDIS_MAX_MEMORY), or REDIS_FULL_PERCENT"
        )
    });
    board.warn("redis_nearly_full", detail.as_deref());
}

/// What was logged last of Redis's state.
#[derive(Debug, Default)]
struct Logged {
    last: Option<Cause>,
}

impl Logged {
    /// Reports a state to the board. Logs when it becomes bad, when its code changes, and when it is well again.
    fn note(&mut self, board: &Board, cause: Option<Cause>) {
        let Some(cause) = cause else {
            board.set("redis", State::Ok, None);
            if self.last.take().is_some() {
                tracing::info!("Redis takes writes again");
            }
            return;
        };
        let code = cause.code.as_deref();
        board.set_with_code("redis", State::Degraded, Some(&cause.detail), code);
        let is_new = self
            .last
            .as_ref()
            .is_none_or(|last| code.is_some() && last.code != cause.code);
        if is_new {
            tracing::warn!(code, "Redis cannot be used, positions are buffered: {}", cause.detail);
            self.last = Some(cause);
        }
    }
}

/// Why no Redis is there.
const fn no_redis() -> &'static str {
    "no redis-server is installed: positions live in this process's memory alone"
}
