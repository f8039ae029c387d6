use serde::{Serialize, Serializer};
use std::fmt;

/// A time as RFC 3339 with milliseconds in UTC, such as `2026-11-21T10:14:57.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(
    /// Unix milliseconds, of a time between the years 0 and 9999.
    pub i64,
);

impl Stamp {
    /// Returns the 24 characters.
    #[must_use]
    pub fn to_ascii(self) -> [u8; 24] {
        *Stamps::default().write(self.0)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

/// Writes many times, each as [`Stamp`] does.
///
/// It replaces the formatter of chrono, because every nearby answer has about ten times. It needs no allocation, and computes the date
/// once for all times of a day; tests compare it with chrono. The algorithm is days-to-civil of Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
#[derive(Debug, Clone, Copy)]
pub struct Stamps {
    /// The day whose date `text` contains, counted from 1970-01-01.
    day: i64,
    text: [u8; 24],
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            day: 0,
            text: *b"1970-01-01T00:00:00.000Z",
        }
    }
}

impl Stamps {
    /// Returns the 24 characters of a time, Unix milliseconds between the years 0 and 9999.
    #[must_use]
    pub fn write(&mut self, unix_ms: i64) -> &[u8; 24] {
        let (day, ms_of_day) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
        if day != self.day {
            self.day = day;
            self.put_date();
        }
        // Below 86,400,000.
        let ms_of_day = u32::try_from(ms_of_day).unwrap_or(0);
        let (seconds, ms) = (ms_of_day / 1_000, ms_of_day % 1_000);
        let text = &mut self.text;
        put(&mut text[11..13], seconds / 3_600);
        put(&mut text[14..16], seconds / 60 % 60);
        put(&mut text[17..19], seconds % 60);
        put(&mut text[20..23], ms);
        text
    }

    fn put_date(&mut self) {
        // Counted from 1 March 0000, so that a leap day is the last of its year.
        let shifted = self.day + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let mut put_at = |place, number| put(&mut self.text[place], u32::try_from(number).unwrap_or(0));
        put_at(0..4, year);
        put_at(5..7, month);
        put_at(8..10, day);
    }
}

fn put(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        // A remainder by ten is one digit.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_what_chrono_writes(
            first in -62_167_219_200_000_i64..253_402_300_799_999,
            // Usually of the same day, sometimes of another.
            steps in prop::collection::vec(-40_000_000_i64..40_000_000, 0..8),
        ) {
            let mut stamps = Stamps::default();
            let mut unix_ms = first;
            for step in steps.into_iter().chain([0]) {
                let expected = DateTime::from_timestamp_millis(unix_ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
                prop_assert_eq!(std::str::from_utf8(stamps.write(unix_ms)).unwrap(), expected);
                unix_ms = (unix_ms + step).clamp(-62_167_219_200_000, 253_402_300_799_999);
            }
        }
    }
}
