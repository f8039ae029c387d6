use hashbrown::HashMap;
use std::time::Duration;

/// The most instances whose clocks are distinguished; messages of others are ignored.
const MOST_ORIGINS: usize = 1024;

/// Ticks after which the least age of a sender's messages is measured again.
const WINDOW_TICKS: u32 = 60;

/// Measures how late messages arrive.
///
/// Clocks differ between instances by an unknown amount. So the lag of a message is its age by our clock, minus the least age of the
/// messages of its sender in the last one or two minutes. A clock that drifts or is set counts as lag for no longer than that.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The least age of a sender's messages, milliseconds: in this window, and in the one before.
    least_ms: HashMap<String, i64>,
    least_before_ms: HashMap<String, i64>,
    latest: Duration,
    /// Messages since the last tick.
    messages: u32,
    /// Ticks of this window.
    ticks: u32,
}

impl Lag {
    /// Records a message of an instance with its age by our clock.
    pub fn note(&mut self, origin: &str, age_ms: i64) {
        self.messages = self.messages.saturating_add(1);
        if self.least_ms.len() >= MOST_ORIGINS && !self.least_ms.contains_key(origin) {
            return;
        }
        let least_ms = self.least_ms.entry_ref(origin).or_insert(age_ms);
        *least_ms = age_ms.min(*least_ms);
        let before_ms = self.least_before_ms.get(origin).copied().unwrap_or(age_ms);
        let late_ms = age_ms - before_ms.min(*least_ms);
        self.latest = Duration::from_millis(u64::try_from(late_ms).unwrap_or(0));
    }

    /// Resets the lag if no message arrived since the last tick. Called once a second.
    pub fn tick(&mut self) {
        if self.messages == 0 {
            self.latest = Duration::ZERO;
        }
        self.messages = 0;
        self.ticks += 1;
        if self.ticks == WINDOW_TICKS {
            self.ticks = 0;
            self.least_before_ms = std::mem::take(&mut self.least_ms);
        }
    }

    /// Returns the lag of the latest message.
    pub const fn now(&self) -> Duration {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_clocks_do_not_count_as_lag_and_late_messages_do() {
        let mut lag = Lag::default();
        for (origin, age_ms, late_ms) in [
            ("ahead", -5_000, 0),
            ("behind", 9_000, 0),
            ("ahead", -4_200, 800),
            ("behind", 8_990, 0),
            ("behind", 9_020, 30),
        ] {
            lag.note(origin, age_ms);
            assert_eq!(lag.now(), Duration::from_millis(late_ms), "{origin} {age_ms}");
        }
        lag.tick();
        assert_eq!(lag.now(), Duration::from_millis(30));
        lag.tick();
        assert_eq!(lag.now(), Duration::ZERO);
    }

    #[test]
    fn a_changed_clock_counts_as_lag_only_for_a_limited_time() {
        let mut lag = Lag::default();
        lag.note("set back", 0);
        for second in 0..=2 * WINDOW_TICKS {
            lag.note("set back", 2_000);
            let is_late = second < WINDOW_TICKS * 2;
            assert_eq!(lag.now() > Duration::ZERO, is_late, "after {second} s");
            lag.tick();
        }
    }
}
