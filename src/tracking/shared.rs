//! The state of the tracking slice that all threads of an instance share.

use super::Kind;
use super::commands::Target;
use super::input::Clock;
use super::live::LiveIndex;
use super::metrics::TrackingMetrics;
use super::orphans::Orphans;
use super::settings::TrackingSettings;
use crate::clock;
use crate::runtime::failpoint_of;
use crate::store::Store;
use crate::telemetry::{HealthRegistry, State};
use prometheus::{IntCounter, IntGaugeVec};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// The most `GEOSEARCH`es that an instance runs at the same time.
const SEARCHES: usize = 2;

/// The state of the tracking slice that all threads of an instance share.
#[derive(Debug)]
pub struct Shared {
    /// The name of this instance in update messages.
    pub origin: String,
    /// The settings.
    pub settings: TrackingSettings,
    /// The Redis store.
    pub store: Store,
    /// The metrics.
    pub metrics: TrackingMetrics,
    health: Arc<HealthRegistry>,
    counters: [FixCounters; 3],
    live: [LiveIndex; 3],
    /// Requests a full load from the feed.
    pub resync: Notify,
    /// Entities that are in the index of Redis only.
    pub(super) orphans: Orphans,
    /// Bounds the concurrent `GEOSEARCH`es: each takes milliseconds of the single thread of Redis.
    pub searches: Semaphore,
    synced: AtomicBool,
    /// Whether the updates of other instances arrive too late.
    late: AtomicBool,
    /// How far the clock of Redis was ahead of ours when the last load began, milliseconds.
    redis_ahead_ms: AtomicI64,
    /// Whether the live index was synced at least once.
    loaded: AtomicBool,
}

/// The counters of the fixes of one kind, resolved once.
#[derive(Debug)]
pub struct FixCounters {
    /// Acknowledged by Redis.
    pub stored: IntCounter,
    /// Older than a stored fix, or than the time to live.
    pub stale: IntCounter,
    /// Held in memory until Redis is available.
    pub buffered: IntCounter,
    /// Invalid, or without room.
    pub rejected: IntCounter,
}

impl Shared {
    /// Creates the state of a new instance, with an empty index for each kind.
    #[must_use]
    pub fn new(
        settings: TrackingSettings,
        store: Store,
        metrics: TrackingMetrics,
        health: Arc<HealthRegistry>,
    ) -> Self {
        let live = Kind::ALL.map(|kind| {
            LiveIndex::new(settings.ttl_ms(kind), settings.max_entities)
                .with_failpoint(|id| failpoint_of("tracking.live", id))
        });
        let counters = Kind::ALL.map(|kind| {
            let counter = |outcome| metrics.fixes.with_label_values(&[kind.as_str(), outcome]);
            FixCounters {
                stored: counter("stored"),
                stale: counter("stale"),
                buffered: counter("buffered"),
                rejected: counter("rejected"),
            }
        });
        // 16 hexadecimal digits: short, because every message contains it.
        let origin = Uuid::new_v4().simple().to_string()[..16].to_owned();
        // Without Redis there is nothing to load, and no other instance to follow.
        let alone = !store.is_configured();
        health.set("live_index", if alone { State::Ok } else { State::Starting }, None);
        Self {
            origin,
            settings,
            store,
            metrics,
            health,
            counters,
            live,
            resync: Notify::new(),
            orphans: Orphans::default(),
            searches: Semaphore::new(SEARCHES),
            synced: AtomicBool::new(alone),
            late: AtomicBool::new(false),
            redis_ahead_ms: AtomicI64::new(0),
            loaded: AtomicBool::new(alone),
        }
    }

    /// Returns the live index of a kind.
    #[must_use]
    pub fn live(&self, kind: Kind) -> &LiveIndex {
        &self.live[kind.index()]
    }

    /// Returns the counters of a kind.
    #[must_use]
    pub fn counters(&self, kind: Kind) -> &FixCounters {
        &self.counters[kind.index()]
    }

    /// Returns whether the live index contains everything that Redis contains, as far as is known.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Relaxed)
            && !self.late.load(Ordering::Relaxed)
            && !self.live.iter().any(LiveIndex::is_incomplete)
    }

    /// Records the current time of Redis, Unix milliseconds.
    pub(super) fn note_redis_clock(&self, redis_now_ms: i64) {
        self.redis_ahead_ms
            .store(redis_now_ms - clock::now_ms(), Ordering::Relaxed);
    }

    /// Returns the approximate time of Redis, Unix milliseconds.
    pub(super) fn redis_now_ms(&self) -> i64 {
        clock::now_ms() + self.redis_ahead_ms.load(Ordering::Relaxed)
    }

    /// Reports that the live index is being loaded. Until the first load ends, the instance is not ready.
    pub(super) fn set_loading(&self) {
        if !self.loaded.load(Ordering::Relaxed) {
            self.health.set("live_index", State::Starting, None);
        }
    }

    /// Reports that the live index follows Redis from now on.
    pub(super) fn set_synced(&self) {
        self.late.store(false, Ordering::Relaxed);
        self.synced.store(true, Ordering::Relaxed);
        self.loaded.store(true, Ordering::Relaxed);
        self.health.set("live_index", State::Ok, None);
    }

    /// Reports that the live index may miss what other instances store. Before its first load it is still starting, unless Redis is
    /// unavailable.
    pub(super) fn set_unsynced(&self, why: &str, is_unavailable: bool) {
        self.synced.store(false, Ordering::Relaxed);
        let starting = !is_unavailable && !self.loaded.load(Ordering::Relaxed);
        let state = if starting { State::Starting } else { State::Degraded };
        self.health.set("live_index", state, Some(why));
    }

    /// Sets the lag of other instances' updates, if it is too high: then answers may miss what other instances store.
    pub(super) fn set_lag(&self, lag: Option<Duration>) {
        // Called for every message, so the usual case is one comparison.
        if lag.is_some() == self.late.load(Ordering::Relaxed) {
            return;
        }
        self.late.store(lag.is_some(), Ordering::Relaxed);
        match lag {
            None if self.is_synced() => self.health.set("live_index", State::Ok, None),
            None => {}
            Some(lag) => {
                let why = format!("updates of other instances are {} ms late", lag.as_millis());
                self.health.set("live_index", State::Degraded, Some(&why));
            }
        }
    }

    /// Sets the gauges of the live indexes, and the warning if one is full.
    pub(super) fn measure(&self) {
        let gauge = |of: &IntGaugeVec, kind: Kind, value: usize| {
            of.with_label_values(&[kind.as_str()])
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        for kind in Kind::ALL {
            let live = self.live(kind);
            gauge(&self.metrics.live_entities, kind, live.len());
            gauge(&self.metrics.live_bytes, kind, live.memory_bytes());
            gauge(&self.metrics.unsaved, kind, live.unsaved_len());
        }
        let most = self.settings.max_entities;
        let full = Kind::ALL.into_iter().filter(|kind| self.live(*kind).len() >= most);
        let full: Vec<&str> = full.map(Kind::as_str).collect();
        let detail = (!full.is_empty()).then(|| {
            format!(
                "the live index of {} is full: answers of this instance lack new entities; raise TRACKING_MAX_ENTITIES",
                full.join(", ")
            )
        });
        self.health.warn("live_index_full", detail.as_deref());
    }

    /// Returns the target of a call about a partition of a kind, made now by this instance.
    #[must_use]
    pub fn target(&self, kind: Kind, partition: u16) -> Target<'_> {
        Target {
            kind,
            partition,
            ttl_ms: self.settings.ttl_ms(kind),
            profile_ttl_ms: self.settings.profile_ttl_ms(kind),
            origin: &self.origin,
            now_ms: clock::now_ms(),
        }
    }

    /// Returns the current time, with the TTL of a kind.
    #[must_use]
    pub fn clock(&self, kind: Kind) -> Clock {
        Clock {
            now_ms: clock::now_ms(),
            ttl_ms: self.settings.ttl_ms(kind),
        }
    }
}
