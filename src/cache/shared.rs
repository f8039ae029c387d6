//! The state that all workers of a process share.

use super::local::Local;
use super::metrics::CacheMetrics;
use super::settings::CacheSettings;
use super::single_flight::SingleFlight;
use super::stats::{LocalStats, Namespaces, Stats};
use super::warm::Warmers;
use crate::store::Store;
use prometheus::IntCounter;
use std::sync::Arc;
use std::time::Duration;

/// The state that all workers of a process share: the level in memory, the computations in progress, the statistics.
#[derive(Debug)]
pub struct Shared {
    settings: CacheSettings,
    pub(super) local: Arc<Local>,
    pub(super) single_flight: SingleFlight,
    pub(super) namespaces: Namespaces,
    pub(super) warmers: Warmers,
    pub(super) counted: Counted,
}

/// The metrics, looked up once.
#[derive(Debug)]
pub(super) struct Counted {
    pub local: IntCounter,
    pub shared: IntCounter,
    pub stale: IntCounter,
    pub miss: IntCounter,
    pub error: IntCounter,
    pub corrupt: IntCounter,
    pub computed: IntCounter,
    pub failed: IntCounter,
    pub joined: IntCounter,
    pub invalidations: IntCounter,
}

impl Shared {
    /// Creates the shared state of a process. A background task of the current runtime subscribes to invalidations when something is to
    /// be kept in memory for the first time, or when Redis is too slow for the response cache.
    #[must_use]
    pub fn new(store: &Store, settings: CacheSettings, metrics: &CacheMetrics) -> Arc<Self> {
        let longest = Duration::from_millis(u64::from(settings.local_ttl_ms));
        let local = Arc::new(Local::new(settings.local_bytes, longest));
        store.listen(
            "cache.invalidations",
            store.keys().cache_channel(),
            &local.wanted,
            &local,
        );
        let read = |outcome| metrics.reads.with_label_values(&[outcome]);
        let computation = |outcome| metrics.computations.with_label_values(&[outcome]);
        let counted = Counted {
            local: read("local"),
            shared: read("shared"),
            stale: read("stale"),
            miss: read("miss"),
            error: read("error"),
            corrupt: read("corrupt"),
            computed: computation("computed"),
            failed: computation("failed"),
            joined: computation("coalesced"),
            invalidations: metrics.invalidations.clone(),
        };
        Arc::new(Self {
            single_flight: SingleFlight::new(usize::try_from(settings.max_computations).unwrap_or(usize::MAX)),
            settings,
            local,
            namespaces: Namespaces::default(),
            warmers: Warmers::default(),
            counted,
        })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &CacheSettings {
        &self.settings
    }

    /// Returns the statistics of this process.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // First, because it processes pending evictions.
        let (entries, bytes) = self.local.size();
        let (namespaces, total) = self.namespaces.read();
        Stats {
            total,
            namespaces,
            local: LocalStats {
                entries,
                bytes,
                max_bytes: self.settings.local_bytes,
                listening: self.is_subscribed(),
            },
            computing: self.single_flight.count(),
        }
    }

    /// Empties the level in this process; used when Redis was flushed or replaced.
    pub fn forget_all(&self) {
        self.local.forget_all();
    }

    /// Returns whether this process is subscribed to invalidations, so that its level in memory serves.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.local.is_subscribed()
    }
}
