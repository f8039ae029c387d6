//! Members other than id, place and time: normalised where possible, otherwise dropped with a warning. They never cause a position to
//! be refused.

use super::loose::{Loose, numeric};
use super::names::Member;
use super::profile;
use super::raw::RawFix;
use crate::http::FieldError;
use crate::tracking::patch::ProfilePatch;

/// The most warnings about one position; further invalid members are dropped without a warning.
pub(super) const MAX_WARNINGS: usize = 32;

/// The sensor readings.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) accuracy_m: Option<f32>,
    pub(super) altitude_m: Option<f32>,
    pub(super) speed_mps: Option<f32>,
    pub(super) heading_deg: Option<f32>,
}

/// The value is unusable.
struct Unusable;

/// Returns the readings of a position.
pub(super) fn readings(raw: &RawFix<'_>, warnings: &mut Vec<FieldError>) -> Readings {
    let mut reading = |member: Member, what: &str, judge: fn(f64) -> Result<Option<f32>, Unusable>| {
        let read = raw.read(member, |value| numeric(value).ok_or(Unusable).and_then(judge));
        read.unwrap_or_else(|Unusable| {
            warnings.push(FieldError::new(member.name(), format!("dropped: must be {what}")));
            None
        })
    };
    Readings {
        accuracy_m: reading(
            Member::Accuracy,
            "a number between 0 and 10000000 metres, or -1 if it is not known",
            |metres| known(metres, 1e7),
        ),
        altitude_m: reading(
            Member::Altitude,
            "a number between -100000 and 1000000 metres",
            |metres| within(metres, -1e5, 1e6),
        ),
        speed_mps: reading(
            Member::Speed,
            "a number between 0 and 10000 metres a second, or -1 if it is not known",
            |mps| known(mps, 1e4),
        ),
        heading_deg: reading(
            Member::Heading,
            "a number of degrees, or -1 if it is not known",
            |degrees| Ok(heading(degrees)),
        ),
    }
}

/// Returns a reading of at least 0. iOS sends −1 where it has none.
fn known(value: f64, most: f64) -> Result<Option<f32>, Unusable> {
    if is_unknown(value) {
        return Ok(None);
    }
    within(value, 0.0, most)
}

#[expect(clippy::float_cmp, reason = "the marker is this number and no other")]
fn is_unknown(value: f64) -> bool {
    value == -1.0
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is finer than any of these sensors"
)]
fn within(value: f64, least: f64, most: f64) -> Result<Option<f32>, Unusable> {
    if (least..=most).contains(&value) {
        Ok(Some(value as f32))
    } else {
        Err(Unusable)
    }
}

/// Returns a heading from 0 to less than 360 degrees. A value that rounds to 360 in single precision becomes the largest number below
/// it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is finer than any compass"
)]
fn heading(degrees: f64) -> Option<f32> {
    let turned = match degrees {
        _ if is_unknown(degrees) => return None,
        // The usual case, without a division.
        0.0..360.0 => degrees,
        _ => degrees.rem_euclid(360.0),
    };
    Some((turned as f32).min(360.0_f32.next_down()))
}

/// Returns the profile members of a position; `null` is ignored.
pub(super) fn patch(raw: &mut RawFix<'_>, warnings: &mut Vec<FieldError>) -> ProfilePatch {
    raw.settle_other_cases();
    let Some(mut profile) = raw.take_profile() else {
        return ProfilePatch::default();
    };
    if let Some(capacity) = &mut profile.capacity
        && let Some(whole) = whole(capacity)
    {
        *capacity = Loose::Int(whole);
    }
    profile::patch(&profile, profile::Nulls::Ignore, warnings)
}

/// Returns a whole number, also from forms such as `4.0` and `"4"`.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
fn whole(value: &Loose<'_>) -> Option<i64> {
    let number = numeric(value)?;
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}
