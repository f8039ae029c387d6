//! Statistics of a queue: jobs by state, throughput and latencies.

use super::model::State;
use std::collections::HashMap;

/// The upper bits of the counters of a span of time are the number of the span, modulo 2^16.
const SPAN: u64 = 1 << 32;
const MINUTE_MS: i64 = 60_000;
/// Times are counted in windows of this length; the statistics cover the last window and the current one.
const WINDOW_MS: i64 = 600_000;
/// The last bucket has times of 2^32 ms and longer.
const BUCKETS: u32 = 64;

/// The statistics of a queue.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Jobs by state, in the order of [`State::ALL`].
    states: [u64; 6],
    /// Whether the queue is paused.
    pub paused: bool,
    /// The waiting time of the ready job that has waited longest, ms, of the first sixteen in line of each type and priority. It may be too
    /// short if more than fifteen jobs at the front of a line became ready again.
    pub oldest_ready_ms: Option<i64>,
    /// Counters since the queue was created.
    pub totals: Totals,
    /// Jobs completed in each of the last 59 whole minutes, the latest first.
    pub completed_per_minute: Vec<u64>,
    /// The time from ready to leased, in the last ten to twenty minutes.
    pub wait: Times,
    /// The time from leased to completed, in the last ten to twenty minutes.
    pub run: Times,
}

/// Counters since a queue was created. `added + revived` is the number of jobs that are ready, delayed or leased, plus `completed`, `died`,
/// `cancelled` and `replaced`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs added.
    pub added: u64,
    /// Jobs completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Leases that expired.
    pub lost: u64,
    /// Jobs that failed for the last time.
    pub died: u64,
    /// Jobs cancelled.
    pub cancelled: u64,
    /// Jobs deleted for another job with their unique key.
    pub replaced: u64,
    /// Dead or cancelled jobs that were made ready again.
    pub revived: u64,
    /// Firings of schedules that were skipped because their last jobs were still waiting.
    pub skipped: u64,
}

/// A histogram of times, in buckets that grow by the square root of two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(Vec<(u32, u64)>);

impl Counts {
    /// Returns the number of jobs in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        let place = State::ALL.iter().position(|other| *other == state);
        place.and_then(|place| self.states.get(place)).copied().unwrap_or(0)
    }

    pub(super) fn read(now_ms: i64, states: [u64; 6], since_ms: i64, fields: &[(String, String)]) -> Self {
        let fields: HashMap<&str, u64> = fields
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.parse().ok()?)))
            .collect();
        let total = |name: &str| fields.get(name).copied().unwrap_or(0);
        let within = |number: i64, name: &str| {
            let value = total(name);
            if value / SPAN == number.unsigned_abs() % 65_536 {
                value % SPAN
            } else {
                0
            }
        };
        let minute = now_ms / MINUTE_MS;
        let window = now_ms / WINDOW_MS;
        let times = |what: char| {
            let count = |k: u32| {
                let of = |number: i64| within(number, &format!("{what}{}{k}", number % 2));
                of(window) + of(window - 1)
            };
            Times(
                (0..=BUCKETS)
                    .map(|k| (k, count(k)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
            )
        };
        Self {
            states,
            paused: total("paused") > 0,
            oldest_ready_ms: (since_ms > 0).then(|| (now_ms - since_ms).max(0)),
            totals: Totals {
                added: total("added"),
                completed: total("completed"),
                failed: total("failed"),
                lost: total("lost"),
                died: total("died"),
                cancelled: total("cancelled"),
                replaced: total("replaced"),
                revived: total("revived"),
                skipped: total("skipped"),
            },
            completed_per_minute: (1..60)
                .map(|ago| within(minute - ago, &format!("m{}", (minute - ago) % 60)))
                .collect(),
            wait: times('w'),
            run: times('r'),
        }
    }
}

impl Times {
    /// Returns a percentile, ms: the upper end of its bucket, so up to 41 % too high.
    #[must_use]
    pub fn percentile(&self, part: u64) -> Option<f64> {
        let all: u64 = self.0.iter().map(|(_, count)| count).sum();
        let mut left = (part * all).div_ceil(100).max(1);
        let (k, _) = self.0.iter().find(|(_, count)| {
            let is_within = left <= *count;
            left = left.saturating_sub(*count);
            is_within
        })?;
        // Times below a millisecond are in one bucket.
        Some(2_f64.powf(f64::from(*k) / 2.0).round().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_an_earlier_window_are_ignored() {
        let now = 1_000 * WINDOW_MS + 5;
        let field = |name: &str, span: u64, count: u64| (name.to_owned(), (span * SPAN + count).to_string());
        let minute = u64::try_from(now / MINUTE_MS).unwrap();
        let fields = [
            field("w01", 1_000, 3),
            field("w14", 999, 1),
            field("w16", 997, 9),
            field(&format!("m{}", (minute - 1) % 60), minute - 1, 7),
            field(&format!("m{}", (minute - 2) % 60), minute - 62, 7),
            ("added".to_owned(), "12".to_owned()),
        ];
        let counts = Counts::read(now, [1, 2, 3, 4, 5, 6], now - 8, &fields);
        assert_eq!(counts.wait, Times(vec![(1, 3), (4, 1)]));
        assert_eq!(counts.wait.percentile(50), Some(1.0));
        assert_eq!(counts.wait.percentile(99), Some(4.0));
        assert_eq!(counts.run.percentile(50), None);
        assert_eq!((counts.completed_per_minute[0], counts.completed_per_minute[1]), (7, 0));
        assert_eq!((counts.totals.added, counts.oldest_ready_ms), (12, Some(8)));
        assert_eq!(counts.of(State::Dead), 5);
    }
}
