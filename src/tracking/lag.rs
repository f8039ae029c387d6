use hashbrown::HashMap;
use std::time::Duration;

/// The most instances whose clocks are distinguished; messages of others are ignored.
const MOST_ORIGINS: usize = 1024;

/// Measures how late messages arrive.
///
/// The clocks of their senders differ from ours by an unknown amount. So the smallest age seen of a sender's messages stands for that
/// amount, and the excess of a message's age over it is the lag. Each subscription starts a new measurement.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The smallest age of a message of each sender, by our clock, milliseconds.
    least_ms: HashMap<String, i64>,
    latest: Duration,
    /// Messages since the last tick.
    heard: u32,
}

impl Lag {
    /// Records a message of an instance with its age by our clock.
    pub fn note(&mut self, origin: &str, age_ms: i64) {
        self.heard = self.heard.saturating_add(1);
        if self.least_ms.len() >= MOST_ORIGINS && !self.least_ms.contains_key(origin) {
            return;
        }
        let least_ms = self.least_ms.entry_ref(origin).or_insert(age_ms);
        *least_ms = age_ms.min(*least_ms);
        self.latest = Duration::from_millis(u64::try_from(age_ms - *least_ms).unwrap_or(0));
    }

    /// Called about once a second: if no message arrives, there is no lag.
    pub fn tick(&mut self) {
        if self.heard == 0 {
            self.latest = Duration::ZERO;
        }
        self.heard = 0;
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
    fn clocks_that_differ_are_no_lag_and_late_messages_are() {
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
}
