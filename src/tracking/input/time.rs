//! The timestamp of a position. Together with id and place it decides whether the position is accepted.

use super::loose::{Loose, quoted};
use super::names::Member;
use super::raw::RawFix;
use super::{Clock, MAX_AHEAD_MS};
use crate::http::FieldError;
use crate::http::timestamp::{self, Unit, parse_rfc3339};
use std::borrow::Cow;

/// The first time whose Unix milliseconds have 13 digits, which the scripts rely on.
const EARLIEST_MS: i64 = 1_000_000_000_000;

const NO_TIME: &str = "must be RFC 3339 with an offset, or epoch milliseconds";

/// Returns the time of a position, Unix milliseconds; now if none is given. A fault is added to `errors`.
pub(super) fn timestamp(raw: &RawFix<'_>, clock: Clock, errors: &mut Vec<FieldError>) -> i64 {
    match raw.read(Member::Timestamp, |value| moment(value, clock).map(Some)) {
        Ok(given) => given.unwrap_or(clock.now_ms),
        Err(detail) => {
            errors.push(FieldError::new(Member::Timestamp.name(), detail));
            clock.now_ms
        }
    }
}

/// Parses a time that can be right: not too far in the past, and no further ahead than a sender's clock may be.
fn moment(value: &Loose<'_>, clock: Clock) -> Result<i64, Cow<'static, str>> {
    match value {
        Loose::Text(text) => match parse_rfc3339(text) {
            Some(at) => possible(at, "", clock),
            None => quoted(text).map_or(Err(NO_TIME.into()), |number| from_number(&number, clock)),
        },
        number => from_number(number, clock),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for the magnitude alone")]
fn from_number(value: &Loose<'_>, clock: Clock) -> Result<i64, Cow<'static, str>> {
    let (magnitude, at) = match value {
        Loose::Int(value) => (*value as f64, timestamp::from_number(*value)),
        Loose::Float(value) => (*value, timestamp::from_float(*value)),
        _ => return Err(NO_TIME.into()),
    };
    match (Unit::of(magnitude), at) {
        (Unit::Seconds, Some(at)) => possible(at, " (read as seconds)", clock),
        (Unit::Milliseconds, Some(at)) => possible(at, " (read as milliseconds)", clock),
        (unit @ (Unit::Microseconds | Unit::Nanoseconds), _) => {
            Err(format!("seems to be in {unit}; send epoch milliseconds").into())
        }
        _ => Err(NO_TIME.into()),
    }
}

fn possible(at: i64, read_as: &str, clock: Clock) -> Result<i64, Cow<'static, str>> {
    if at > clock.now_ms + MAX_AHEAD_MS {
        return Err(format!("is more than 60 s in the future{read_as}; check the sender's clock").into());
    }
    if at < EARLIEST_MS {
        return Err(format!(
            "is before 2001-09-09T01:46:40Z{read_as}; send RFC 3339 with an offset, or epoch milliseconds"
        )
        .into());
    }
    Ok(at)
}
