//! Statistics of sessions: creations and validations increment counters of this process, which are sampled every few seconds (see
//! `measure`).

use prometheus::{IntCounter, IntGauge};
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// The interval of the samples.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// The number of samples in a minute.
const SAMPLES: usize = 13;

/// Statistics of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SessionStats)]
pub struct Stats {
    /// Sessions that this instance has created.
    pub created_total: u64,
    /// Tokens that `GET /v1/sessions/current` of this instance found valid.
    pub valid_total: u64,
    /// Tokens that `GET /v1/sessions/current` of this instance found invalid.
    pub refused_total: u64,
    /// Sessions that this instance ended because a replaced token was used again.
    pub stolen_total: u64,
    /// Creations a second in the last minute, on this instance; null in its first seconds.
    pub created_per_s: Option<f64>,
    /// Validations a second in the last minute, on this instance; null in its first seconds.
    pub validations_per_s: Option<f64>,
    /// Approximate number of sessions of all instances that were in use in the last five to ten minutes, including those that have ended
    /// since. Updated every half minute; null while it is unknown.
    pub active_estimate: Option<u64>,
}

/// The metrics, looked up once.
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

/// The values of the counters in the last minute.
#[derive(Debug, Default)]
pub(super) struct Rates {
    samples: VecDeque<Sample>,
    pub(super) active: Option<u64>,
}

/// The values of the counters at one time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    created: u64,
    validated: u64,
}

impl Sample {
    fn of(counted: &Counted) -> Self {
        Self {
            at: Instant::now(),
            created: counted.created.get(),
            validated: counted.valid.get() + counted.unknown.get() + counted.reused.get(),
        }
    }
}

impl Rates {
    /// Samples the counters.
    pub(super) fn sample(&mut self, counted: &Counted) {
        self.take(Sample::of(counted));
    }

    fn take(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Returns the rate per second between the oldest and the newest sample.
    fn per_second(&self, count: impl Fn(&Sample) -> u64) -> Option<f64> {
        let (oldest, newest) = (self.samples.front()?, self.samples.back()?);
        let seconds = newest.at.duration_since(oldest.at).as_secs_f64();
        let counted = u32::try_from(count(newest) - count(oldest)).unwrap_or(u32::MAX);
        (seconds > 0.0).then(|| f64::from(counted) / seconds)
    }

    pub(super) fn stats(&self, counted: &Counted) -> Stats {
        Stats {
            created_total: counted.created.get(),
            valid_total: counted.valid.get(),
            refused_total: counted.unknown.get() + counted.reused.get(),
            stolen_total: counted.stolen.get(),
            created_per_s: self.per_second(|sample| sample.created),
            validations_per_s: self.per_second(|sample| sample.validated),
            active_estimate: self.active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_covers_the_last_minute() {
        let start = Instant::now();
        let mut rates = Rates::default();
        let mut take = |n: u32| {
            rates.take(Sample {
                at: start + EVERY * n,
                created: u64::from(10 * n),
                validated: if n < 10 { 0 } else { 600 },
            });
            (
                rates.per_second(|sample| sample.created),
                rates.per_second(|sample| sample.validated),
            )
        };
        assert_eq!(take(0), (None, None));
        assert_eq!(take(1), (Some(2.0), Some(0.0)));
        for n in 2..22 {
            take(n);
        }
        assert_eq!(take(22), (Some(2.0), Some(0.0)));
    }
}
