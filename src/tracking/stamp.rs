use serde::{Serialize, Serializer};

/// A time as RFC 3339 with milliseconds in UTC, such as `2026-11-21T10:14:57.123Z`.
///
/// Our own and not chrono's, because ten of them stand in every nearby answer and this one needs neither a formatter nor an
/// allocation; the tests hold it against chrono's. From the days-to-civil algorithm of Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(
    /// Unix milliseconds, of a time between the years 0 and 9999.
    pub i64,
);

impl Stamp {
    /// The 24 characters.
    #[must_use]
    pub fn to_ascii(self) -> [u8; 24] {
        let Self(unix_ms) = self;
        let (days, ms_of_day) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
        // Counted from 1 March 0000, so that a leap day is the last of its year.
        let shifted = days + 719_468;
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
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put(&mut text[0..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], ms_of_day / 3_600_000);
        put(&mut text[14..16], ms_of_day / 60_000 % 60);
        put(&mut text[17..19], ms_of_day / 1_000 % 60);
        put(&mut text[20..23], ms_of_day % 1_000);
        text
    }
}

fn put(text: &mut [u8], mut number: i64) {
    for digit in text.iter_mut().rev() {
        // A remainder by ten is one digit.
        *digit = b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or(0);
        number /= 10;
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_chrono_writes(unix_ms in 0_i64..253_402_300_799_999) {
            let expected = DateTime::from_timestamp_millis(unix_ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            let text = Stamp(unix_ms).to_ascii();
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
        }
    }
}
