//! Latencies, recorded in nanoseconds with three significant digits and shown in microseconds.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Longer latencies are recorded as this.
const LONGEST_NS: u64 = 120_000_000_000;

/// The latencies of requests.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// Percentiles of [`Latencies`], microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the report, and contain the unit"
)]
pub struct Percentiles {
    /// Half of the requests took at most this.
    pub p50_us: f64,
    /// 90 %.
    pub p90_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// The slowest request.
    pub max_us: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants that the constructor accepts"
        )]
        Self(Histogram::new_with_max(LONGEST_NS, 3).expect("1 < max and 3 digits are valid"))
    }
}

impl Latencies {
    /// Records one request.
    pub fn record(&mut self, latency: Duration) {
        self.0
            .saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NS));
    }

    /// Adds the requests of another connection.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so every value of one fits the other.
        let _ = self.0.add(&other.0);
    }

    /// Returns the number of recorded requests.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the percentiles; all 0 if nothing was recorded.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        #[expect(clippy::cast_precision_loss, reason = "recorded values are below 2^53 ns (104 days)")]
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.0} · p90 {:.0} · p99 {:.0} · p99.9 {:.0} · max {:.0} µs",
            self.p50_us, self.p90_us, self.p99_us, self.p999_us, self.max_us
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_two_connections_are_of_both() {
        let (mut one, mut two) = (Latencies::default(), Latencies::default());
        for us in 1..=500 {
            one.record(Duration::from_micros(us));
            two.record(Duration::from_micros(us + 500));
        }
        one.merge(&two);
        let percentiles = one.percentiles();
        assert_eq!(one.count(), 1000);
        assert!((percentiles.p50_us - 500.0).abs() < 2.0, "{percentiles}");
        assert!((percentiles.max_us - 1000.0).abs() < 2.0, "{percentiles}");
        assert_eq!(Latencies::default().percentiles().p50_us.to_bits(), 0);
    }
}
