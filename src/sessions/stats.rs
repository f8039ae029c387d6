//! How much is going on. Creations and validations are counted in this process, and looked at every few seconds, so that
//! the calls themselves pay for no more than a counter. Twice a minute, by a script call for each of the 256 partitions, Redis is asked
//! how many sessions there are and how many are in use: each use that moves a session's end puts it into a `HyperLogLog` of its
//! partition, one for every five minutes. While there are as many sessions as there may be, it is asked every five seconds.

use super::commands::{self, Sum};
use super::keys::SessionPartition;
use super::shared::{Counted, Shared};
use crate::store::{Link, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

const EVERY: Duration = Duration::from_secs(5);
/// A minute of them.
const SAMPLES: usize = 13;
/// One look in so many asks Redis as well: half a minute.
const ASKING: u32 = 6;
/// Partitions that Redis is asked about at once.
const AT_ONCE: usize = 16;

/// How much is going on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SessionStats)]
pub struct Stats {
    /// Sessions that this instance has created.
    pub created_total: u64,
    /// Tokens that this instance has looked at by `GET /v1/sessions/current` and found valid.
    pub valid_total: u64,
    /// The same of those that opened nothing.
    pub refused_total: u64,
    /// Sessions that this instance ended because a replaced token was used again.
    pub stolen_total: u64,
    /// Creations a second in the last minute, on this instance; null in its first seconds.
    pub created_per_s: Option<f64>,
    /// Validations a second in the last minute, on this instance; null in its first seconds.
    pub validations_per_s: Option<f64>,
    /// Sessions of all instances that were in use in the last five to ten minutes, by `HyperLogLog`, those ended since
    /// included; up to half a minute old, null while it is not known.
    pub active_estimate: Option<u64>,
}

/// The counters' values of the last minute.
#[derive(Debug, Default)]
pub(super) struct Rates {
    samples: VecDeque<Sample>,
    pub(super) active: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    created: u64,
    validated: u64,
}

impl Rates {
    fn take(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// A second's share of what was counted from the oldest sample to the newest.
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

/// Looks at the counters every few seconds, and asks Redis for its count less often; for ever.
pub async fn keep_measuring(shared: Arc<Shared>, link: Link) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in (0..ASKING).cycle() {
        every.tick().await;
        let counted = shared.counted();
        let sample = Sample {
            at: Instant::now(),
            created: counted.created.get(),
            validated: counted.valid.get() + counted.unknown.get() + counted.reused.get(),
        };
        shared.rates().lock().take(sample);
        // While it is not known it is asked for at each look: at the start, and when Redis is back.
        let is_known = shared.rates().lock().active.is_some();
        if look == 0 || !is_known || shared.is_full() {
            let counting = shared.open().begin_count();
            let sum = count(&link).await;
            if let Ok(sum) = &sum {
                counting.end(sum.open);
            }
            shared.keep(&sum);
        }
    }
}

/// The sum over all partitions. Their slots differ, so each is a command of its own.
async fn count(link: &Link) -> Result<Sum, StoreError> {
    let add = |sum: Sum, of_one: Sum| Sum {
        used: sum.used + of_one.used,
        open: sum.open + of_one.open,
    };
    stream::iter(SessionPartition::all())
        .map(|partition| commands::count(link, partition))
        .buffer_unordered(AT_ONCE)
        .try_fold(Sum::default(), |sum, of_one| ready(Ok(add(sum, of_one))))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
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
