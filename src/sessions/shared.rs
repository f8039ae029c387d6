use super::metrics::SessionMetrics;
use super::settings::SessionSettings;
use super::stats::{Rates, Stats};
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
            },
            rates: Mutex::default(),
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

    /// Takes over what Redis says of the sessions in use.
    pub(super) fn keep_active(&self, active: Result<u64, StoreError>) {
        match &active {
            // The gauge keeps its last value when Redis does not answer: none in use would be a false alarm.
            Ok(active) => self.counted.active.set(i64::try_from(*active).unwrap_or(i64::MAX)),
            Err(error) => tracing::debug!(%error, "the sessions in use are not counted"),
        }
        self.rates.lock().active = active.ok();
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
            rotation_grace_ms: 1,
        };
        let shared = Shared::new(
            settings,
            &SessionMetrics::register(&MetricsRegistry::default()).unwrap(),
        );
        shared.keep_active(Ok(7));
        assert_eq!(
            (shared.counted().active.get(), shared.stats().active_estimate),
            (7, Some(7))
        );
        shared.keep_active(Err(StoreError::Away));
        assert_eq!(
            (shared.counted().active.get(), shared.stats().active_estimate),
            (7, None)
        );
    }
}
