//! Times as clients write them.

use chrono::DateTime;
use std::fmt;
use utoipa::ToSchema;

/// Below this a number can only be seconds: as milliseconds it would lie in March 1973, as seconds in the year 5138.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// The unit of a number of epoch time, derived from its magnitude: any other unit gives a time outside the years 1973 to 5138.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Up to 11 digits.
    Seconds,
    /// 12 to 14 digits.
    Milliseconds,
    /// 15 to 17 digits.
    Microseconds,
    /// 18 to 20 digits.
    Nanoseconds,
    /// More digits than any unit has.
    None,
}

impl Unit {
    /// Returns the unit of a number.
    #[must_use]
    pub fn of(value: f64) -> Self {
        match value.abs() {
            size if size < 1e11 => Self::Seconds,
            size if size < 1e14 => Self::Milliseconds,
            size if size < 1e17 => Self::Microseconds,
            size if size < 1e20 => Self::Nanoseconds,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
            Self::None => "no unit",
        })
    }
}

/// Unix milliseconds from epoch milliseconds or seconds; `None` beyond what can be one.
#[must_use]
pub fn from_number(value: i64) -> Option<i64> {
    if value.unsigned_abs() < SECONDS_BELOW.unsigned_abs() {
        value.checked_mul(1000)
    } else {
        Some(value)
    }
}

/// The same from a number with a fraction.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
pub fn from_float(value: f64) -> Option<i64> {
    if !value.is_finite() || value.abs() > 1e15 {
        return None;
    }
    let milliseconds = if value.abs() < 1e11 { value * 1000.0 } else { value };
    Some(milliseconds.round() as i64)
}

/// Unix milliseconds from RFC 3339 text; `None` if it is not that.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

/// A time: RFC 3339, or milliseconds since 1970 (seconds if the number can only be that).
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(missing_docs, reason = "what its variants are is described by their types")]
pub enum TimeBody {
    Text(#[schema(inline)] TimeText),
    Number(#[schema(inline)] EpochMs),
}

/// RFC 3339.
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T10:14:57.123Z")]
pub struct TimeText(pub String);

/// Milliseconds since 1970; seconds, if it can only be that.
#[derive(ToSchema)]
#[schema(value_type = f64, format = "epoch-ms", example = json!(1_763_720_097_123_u64))]
pub struct EpochMs(pub f64);
