//! Maps recorded times to the present.
//!
//! The service refuses a fix from the future or from before its TTL, so the times of a recording are mapped by one straight
//! line. At a given speed, the first fix is now and every later one has the time at which it is sent. As fast as
//! possible, the whole recording is mapped onto the last [`WINDOW_MS`] before the start: order is kept, nothing is in the
//! future, and four minutes of a TTL of five are left for sending it all.

use super::reader::{TraceError, TraceReader};
use crate::ids::Id;
use hashbrown::HashMap;

/// The age of the first fix of a recording that is sent as fast as possible.
pub(super) const WINDOW_MS: i64 = 60_000;

/// The result of a first pass over a recording, which also detects invalid rows before anything is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) rows: u64,
    /// The earliest and the latest time, if any row has one.
    pub(super) span_ms: Option<(i64, i64)>,
}

impl Survey {
    /// Reads a recording to its end.
    pub(super) fn of(mut reader: TraceReader) -> Result<Self, TraceError> {
        let mut survey = Self::default();
        while let Some(row) = reader.next()? {
            survey.rows += 1;
            if let Some(ms) = row.recorded_ms {
                let (first, last) = survey.span_ms.unwrap_or((ms, ms));
                survey.span_ms = Some((first.min(ms), last.max(ms)));
            }
        }
        Ok(survey)
    }
}

/// The straight line from recorded to sent times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timeline {
    first_ms: i64,
    /// The time of the start of the recording.
    origin_ms: i64,
    /// Sent milliseconds for each recorded one.
    scale: f64,
}

impl Timeline {
    /// The first fix is at `start_ms`, the others follow at `speed` times.
    pub(super) fn played(survey: &Survey, start_ms: i64, speed: f64) -> Self {
        Self {
            first_ms: survey.span_ms.map_or(0, |(first, _)| first),
            origin_ms: start_ms,
            scale: speed.recip(),
        }
    }

    /// The last fix is at `start_ms`, the first at most [`WINDOW_MS`] earlier.
    pub(super) fn compressed(survey: &Survey, start_ms: i64) -> Self {
        let (first, last) = survey.span_ms.unwrap_or((0, 0));
        let span = (last - first).max(1);
        let window = span.min(WINDOW_MS);
        #[expect(clippy::cast_precision_loss, reason = "both are below 2^53 ms (285,000 years)")]
        let scale = window as f64 / span as f64;
        Self {
            first_ms: first,
            origin_ms: start_ms - window,
            scale,
        }
    }

    /// The time to send for a recorded one.
    pub(super) fn sent_ms(&self, recorded_ms: i64) -> i64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "times are below 2^53 ms (285,000 years), and a cast saturates"
        )]
        let offset = ((recorded_ms - self.first_ms) as f64 * self.scale) as i64;
        self.origin_ms.saturating_add(offset)
    }
}

/// The newest row of an entity so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Newest {
    recorded_ms: i64,
    /// The time that was sent.
    pub(super) sent_ms: i64,
    pub(super) lat: f64,
    pub(super) lon: f64,
}

/// The newest row of every entity, which must be its position at the end. Grows with the entities, not with the rows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) newest: HashMap<Id, Newest>,
}

impl Ledger {
    /// Notes a row and returns the time to send for it.
    ///
    /// Fast replays map several rows of an entity to the same millisecond. With equal times it would be undefined which of
    /// them wins, so each time is at least a millisecond after the one before; a row that was recorded earlier than
    /// the row before it stays earlier.
    pub(super) fn note(&mut self, id: &Id, recorded_ms: i64, mapped_ms: i64, lat: f64, lon: f64) -> i64 {
        let mut row = Newest {
            recorded_ms,
            sent_ms: mapped_ms,
            lat,
            lon,
        };
        match self.newest.get_mut(id) {
            None => {
                self.newest.insert(id.clone(), row);
            }
            Some(newest) if recorded_ms < newest.recorded_ms => row.sent_ms = mapped_ms.min(newest.sent_ms - 1),
            Some(newest) => {
                row.sent_ms = mapped_ms.max(newest.sent_ms + 1);
                *newest = row;
            }
        }
        row.sent_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn survey(first: i64, last: i64) -> Survey {
        Survey {
            rows: 2,
            span_ms: Some((first, last)),
        }
    }

    #[test]
    fn played_times_follow_the_clock_at_speed() {
        let line = Timeline::played(&survey(1_000_000, 4_600_000), NOW, 60.0);
        assert_eq!(line.sent_ms(1_000_000), NOW);
        assert_eq!(line.sent_ms(1_060_000), NOW + 1000);
        assert_eq!(line.sent_ms(4_600_000), NOW + 60_000);
    }

    #[test]
    fn compressed_times_are_in_the_window_just_passed_and_in_order() {
        let line = Timeline::compressed(&survey(5, 5 + 17 * 3_600_000), NOW);
        let times: Vec<_> = (0..=17 * 60).map(|minute| line.sent_ms(5 + minute * 60_000)).collect();
        assert_eq!((times[0], times[times.len() - 1]), (NOW - WINDOW_MS, NOW));
        assert!(times.is_sorted());
        // A short recording keeps its pace, and a recording with a single time has one too.
        assert_eq!(Timeline::compressed(&survey(5, 1005), NOW).sent_ms(505), NOW - 500);
        assert!((NOW - 1..=NOW).contains(&Timeline::compressed(&survey(5, 5), NOW).sent_ms(5)));
    }

    #[test]
    fn the_newest_row_of_an_entity_has_the_newest_time() {
        let (mut ledger, id) = (Ledger::default(), Id::parse("a").unwrap());
        assert_eq!(ledger.note(&id, 10, NOW, 1.0, 1.0), NOW);
        assert_eq!(ledger.note(&id, 11, NOW, 2.0, 2.0), NOW + 1);
        assert_eq!(ledger.note(&id, 11, NOW, 3.0, 3.0), NOW + 2);
        assert_eq!(ledger.note(&id, 5, NOW + 2, 4.0, 4.0), NOW + 1);
        assert_eq!((ledger.newest[&id].lat, ledger.newest[&id].sent_ms), (3.0, NOW + 2));
    }
}
