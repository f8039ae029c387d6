use super::commands::Sum;
use super::metrics::SessionMetrics;
use super::settings::SessionSettings;
use super::stats::{Counted, Rates, Stats};
use crate::runtime::Tally;
use crate::store::StoreError;
use parking_lot::Mutex;
use std::sync::Arc;

/// The state of the sessions slice that all connections of a process share.
#[derive(Debug)]
pub struct Shared {
    settings: SessionSettings,
    counted: Counted,
    // Locked for a read or a new sample, never across an await, by the sampling task and by requests for the statistics.
    rates: Mutex<Rates>,
    /// The number of sessions of all instances.
    open: Tally,
}

impl Shared {
    /// Creates the state of a new process.
    #[must_use]
    pub fn new(settings: SessionSettings, metrics: &SessionMetrics) -> Arc<Self> {
        let validations = |outcome| metrics.validations.with_label_values(&[outcome]);
        Arc::new(Self {
            settings,
            counted: Counted {
                created: metrics.created.clone(),
                valid: validations("valid"),
                unknown: validations("unknown"),
                reused: validations("reused"),
                stolen: metrics.stolen.clone(),
                active: metrics.active.clone(),
                open: metrics.open.clone(),
            },
            rates: Mutex::default(),
            open: Tally::default(),
        })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Returns the statistics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.rates.lock().stats(&self.counted)
    }

    /// Stores the number of sessions, and of those in use, from a count in Redis.
    pub(super) fn keep(&self, sum: &Result<Sum, StoreError>) {
        match sum {
            // If Redis does not answer, the gauges keep their last values, because 0 sessions in use would cause a false alarm.
            Ok(sum) => {
                self.counted.active.set(i64::try_from(sum.used).unwrap_or(i64::MAX));
                self.counted.open.set(i64::try_from(sum.open).unwrap_or(i64::MAX));
            }
            Err(error) => tracing::debug!(%error, "the sessions cannot be counted"),
        }
        self.rates.lock().active = sum.as_ref().ok().map(|sum| sum.used);
    }

    pub(super) const fn open(&self) -> &Tally {
        &self.open
    }

    /// Returns whether there are `SESSIONS_MAX` sessions.
    pub(super) fn is_full(&self) -> bool {
        self.open.total() >= self.settings.max
    }

    pub(super) const fn counted(&self) -> &Counted {
        &self.counted
    }

    pub(super) const fn rates(&self) -> &Mutex<Rates> {
        &self.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::MetricsRegistry;

    #[test]
    fn the_gauge_keeps_its_value_when_redis_does_not_answer() {
        let settings = SessionSettings {
            idle_ttl_s: 1,
            absolute_ttl_s: 1,
            max_ttl_s: 1,
            per_subject: 1,
            max: 1,
            rotation_grace_ms: 1,
        };
        let shared = Shared::new(
            settings,
            &SessionMetrics::register(&MetricsRegistry::default()).unwrap(),
        );
        shared.keep(&Ok(Sum { used: 7, open: 9 }));
        assert_eq!(
            (shared.counted().active.get(), shared.stats().active_estimate),
            (7, Some(7))
        );
        shared.keep(&Err(StoreError::Unavailable));
        assert_eq!(
            (shared.counted().active.get(), shared.stats().active_estimate),
            (7, None)
        );
    }
}
