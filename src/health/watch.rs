//! Watches Redis: whether it takes writes, by a probe and by the outcome of the service's own commands, how much of its memory is in
//! use, and how it is set up.

use super::{HealthMetrics, setup};
use crate::store::{Cause, Link, Memory, Script, StoreError};
use crate::telemetry::{HealthRegistry, State};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new("probe", "", include_str!("lua/probe.lua")));

/// How often a probe is written.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// The TTL of a probe, so that it expires once no instance runs.
const PROBE_LASTS: Duration = Duration::from_mins(1);
/// How often the memory of Redis is measured. What is created in between is not refused, so the memory may exceed its
/// limit by that much.
const MEMORY_EVERY: Duration = Duration::from_secs(1);
/// How often the setup of Redis is checked.
const SETUP_EVERY: Duration = Duration::from_mins(1);

/// Watches Redis forever: whether it accepts writes, for the health registry and the metrics, and whether it has room for new data. It
/// has none once `full_percent` of its memory is in use.
pub async fn watch(link: Link, health: Arc<HealthRegistry>, metrics: HealthMetrics, full_percent: u8) {
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
            health.set("redis", State::Degraded, Some(no_redis()));
            continue;
        }
        logged.note(&health, cause);
        if link.is_up() && Instant::now() >= memory_at {
            memory_at = Instant::now() + MEMORY_EVERY;
            measure(&link, &health, &metrics, full_percent).await;
        }
        let now = Some(link.store().generation());
        if (generation != now || Instant::now() >= setup_at) && setup::check(&link, &health).await.is_ok() {
            generation = now;
            setup_at = Instant::now() + SETUP_EVERY;
        }
    }
}

/// Returns why a probe failed. If it was not answered, the reason may be that the connection is being replaced, because Redis refused a
/// command.
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
async fn measure(link: &Link, health: &HealthRegistry, metrics: &HealthMetrics, full_percent: u8) {
    let memory = match link.measure_memory(full_percent).await {
        Ok(memory) => memory,
        Err(error) => return tracing::debug!(%error, "the memory of Redis cannot be read"),
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
    health.warn("redis_nearly_full", detail.as_deref());
}

/// The state of Redis that was logged last.
#[derive(Debug, Default)]
struct Logged {
    last: Option<Cause>,
}

impl Logged {
    /// Reports a state to the health registry. Logs when Redis becomes unusable, when the code of its error changes, and when it takes
    /// writes again.
    fn note(&mut self, health: &HealthRegistry, cause: Option<Cause>) {
        let Some(cause) = cause else {
            health.set("redis", State::Ok, None);
            if self.last.take().is_some() {
                tracing::info!("Redis accepts writes again");
            }
            return;
        };
        let code = cause.code.as_deref();
        health.set_with_code("redis", State::Degraded, Some(&cause.detail), code);
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

/// Returns why there is no Redis.
const fn no_redis() -> &'static str {
    "no redis-server is installed: positions are kept in the memory of this process only"
}
