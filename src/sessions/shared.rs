use super::commands::Sum;
use super::metrics::SessionMetrics;
use super::settings::SessionSettings;
use super::stats::{Rates, Stats};
use crate::runtime::Tally;
use crate::store::StoreError;
use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};
use std::sync::Arc;

/// What all connections of a process share of the sessions slice.
#[derive(Debug)]
pub struct Shared {
    settings: SessionSettings,
    counted: Counted,
    // Held for a look or an entry, never across an await; by the sampling task and by who asks for the stats.
    rates: Mutex<Rates>,
    /// The sessions of all instances.
    open: Tally,
}

/// The instruments, looked up once.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) created: IntCounter,
    pub(super) valid: IntCounter,
    pub(super) unknown: IntCounter,
    pub(super) reused: IntCounter,
    pub(super) stolen: IntCounter,
    pub(super) active: IntGauge,
    pub(super) open: IntGauge,
}

impl Shared {
    /// The state of a fresh process.
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

    /// How much is going on.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.rates.lock().stats(&self.counted)
    }

    /// Takes over how many sessions there are, and how many are in use, by a count of Redis's.
    pub(super) fn keep(&self, sum: &Result<Sum, StoreError>) {
        match sum {
            // The gauges keep their last values when Redis does not answer: none in use would be a false alarm.
            Ok(sum) => {
                self.counted.active.set(i64::try_from(sum.used).unwrap_or(i64::MAX));
                self.counted.open.set(i64::try_from(sum.open).unwrap_or(i64::MAX));
            }
            Err(error) => tracing::debug!(%error, "the sessions are not counted"),
        }
        self.rates.lock().active = sum.as_ref().ok().map(|sum| sum.used);
    }

    pub(super) const fn open(&self) -> &Tally {
        &self.open
    }

    /// Returns whether there are as many sessions as there may be.
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
