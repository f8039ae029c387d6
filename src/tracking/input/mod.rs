//! Clients' words into the model. Nothing here touches Redis; whatever passes is valid, and whatever does not is told
//! field by field.
//!
//! A member that is given twice, under whichever of its names, is refused. `null` means "not known".

mod cursor;
mod loose;
mod profile;
mod query;
mod raw;
#[cfg(test)]
mod tests;

pub use crate::http::timestamp::parse_rfc3339;
pub use cursor::write_cursor;
pub use profile::parse_profile;
pub use query::{MAX_ANSWERS, MAX_LIMIT, MAX_QUERIES, MAX_RADIUS_M, Source, parse_nearby, parse_queries, parse_within};

use super::model::Fix;
use super::patch::ProfilePatch;
use crate::geo::{Point, PointError};
use crate::http::{FieldError, timestamp};
use crate::ids::Id;
use loose::Loose;
use raw::{RawBatch, RawFix};
use serde_json::value::RawValue;

pub(in crate::tracking) use raw::MAX_BATCH;

/// How far ahead of our clock a sender's may be.
pub const MAX_AHEAD_MS: i64 = 60_000;

/// A valid fix with what it says of the profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The fix.
    pub fix: Fix,
    /// The profile's fields that came with it, if any.
    pub patch: Option<Box<ProfilePatch>>,
}

/// An element of a batch: its id and report, or what is wrong with it.
pub type Element = Result<(Id, Report), Rejection>;

/// Why an element of a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The id that it gave, if it is one.
    pub id: Option<Id>,
    /// What is wrong.
    pub detail: String,
}

/// A body that is not what it should be as a whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or cut off, or nested too deep.
    #[error("{0}")]
    Malformed(String),
    /// JSON of a wrong form or with values that are not acceptable.
    #[error("the body is not acceptable")]
    Unacceptable(Vec<FieldError>),
    /// More elements than a batch may have.
    #[error("a batch has at most 10000 positions")]
    TooMany,
}

/// The moment that validity is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Unix milliseconds.
    pub now_ms: i64,
    /// TTL of the kind, milliseconds.
    pub ttl_ms: i64,
}

/// Parses the body of a single report.
///
/// # Errors
/// [`BodyError`] with the fields at fault.
pub fn parse_fix(body: &[u8], clock: Clock) -> Result<Report, BodyError> {
    let raw: RawFix<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    validate(&raw, clock).map_err(BodyError::Unacceptable)
}

/// Parses a batch: an array, or an object with `positions`.
///
/// # Errors
/// [`BodyError`] only where no element can be told from another; faults of single elements are in the answer.
pub fn parse_batch(body: &[u8], clock: Clock) -> Result<Vec<Element>, BodyError> {
    match serde_json::from_slice::<RawBatch<RawFix<'_>>>(body) {
        Ok(RawBatch(raw)) => Ok(raw.iter().map(|raw| element(raw, clock)).collect()),
        // JSON allows what the parser stops at (1e999, half a surrogate pair, any depth). The element in which it stands
        // must not harm the others, so they are told apart first and then read one by one.
        Err(error) if error.is_syntax() => match serde_json::from_slice::<RawBatch<&RawValue>>(body) {
            Ok(RawBatch(raw)) => Ok(raw
                .iter()
                .map(|raw| text_element(raw.get().as_bytes(), clock))
                .collect()),
            Err(other) if is_too_many(&other) => Err(BodyError::TooMany),
            Err(_) => Err(malformed(&error)),
        },
        Err(error) if is_too_many(&error) => Err(BodyError::TooMany),
        Err(error) => Err(malformed(&error)),
    }
}

fn is_too_many(error: &serde_json::Error) -> bool {
    error.to_string().starts_with(raw::TOO_MANY)
}

/// Parses a batch of one JSON object a line; empty lines are passed over.
///
/// # Errors
/// [`BodyError::TooMany`].
pub fn parse_ndjson(body: &[u8], clock: Clock) -> Result<Vec<Element>, BodyError> {
    let mut elements = Vec::new();
    for line in body.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if elements.len() == MAX_BATCH {
            return Err(BodyError::TooMany);
        }
        elements.push(text_element(line, clock));
    }
    Ok(elements)
}

fn malformed(error: &serde_json::Error) -> BodyError {
    if error.is_data() {
        return BodyError::Unacceptable(vec![FieldError::new("", error.to_string())]);
    }
    BodyError::Malformed(format!("the body is not JSON: {error}"))
}

/// An element that is text of its own.
fn text_element(json: &[u8], clock: Clock) -> Element {
    match serde_json::from_slice::<RawFix<'_>>(json) {
        Ok(raw) => element(&raw, clock),
        Err(error) => Err(Rejection {
            id: None,
            detail: format!("cannot be read: {error}"),
        }),
    }
}

fn element(raw: &RawFix<'_>, clock: Clock) -> Element {
    let id = match &raw.id {
        Some(Loose::Text(text)) => Id::parse(text).map_err(|error| format!("/id: {error}")),
        None | Some(Loose::Null) => Err("/id: is required".to_owned()),
        Some(other) => Err(format!("/id: must be a string, not {}", other.type_name())),
    };
    match (id, validate(raw, clock)) {
        (Ok(id), Ok(report)) => Ok((id, report)),
        (id, report) => {
            let mut details: Vec<String> = Vec::new();
            if raw.not_an_object.is_none()
                && let Err(detail) = &id
            {
                details.push(detail.clone());
            }
            details.extend(report.err().unwrap_or_default().iter().map(ToString::to_string));
            Err(Rejection {
                id: id.ok(),
                detail: details.join("; "),
            })
        }
    }
}

fn validate(raw: &RawFix<'_>, clock: Clock) -> Result<Report, Vec<FieldError>> {
    if let Some(what) = raw.not_an_object {
        return Err(vec![FieldError::new("", format!("must be an object, not {what}"))]);
    }
    let mut errors = Vec::new();
    if let Some(name) = raw.duplicate {
        errors.push(FieldError::new(name, "is given twice"));
    }
    let point = point(raw, &mut errors);
    let timestamp_ms = timestamp_of(raw, clock, &mut errors);
    let mut optional = |name: &'static str, value: &Option<Loose<'_>>, within: (f32, f32), what: &str| {
        optional_number(name, value.as_ref(), within, what, &mut errors)
    };
    let accuracy_m = optional("accuracy_m", &raw.accuracy, (0.0, 1e7), "between 0 and 10000000 metres");
    let altitude_m = optional(
        "altitude_m",
        &raw.altitude,
        (-1e5, 1e6),
        "between -100000 and 1000000 metres",
    );
    let speed_mps = optional(
        "speed_mps",
        &raw.speed,
        (0.0, 1e4),
        "between 0 and 10000 metres a second",
    );
    let heading_deg = optional(
        "heading_deg",
        &raw.heading,
        (0.0, 360.0_f32.next_down()),
        "at least 0 and less than 360 degrees",
    );
    let patch = profile::patch(&raw.profile, profile::Nulls::Ignore, &mut errors);
    match point {
        Some(point) if errors.is_empty() => Ok(Report {
            fix: Fix {
                point,
                timestamp_ms,
                accuracy_m,
                altitude_m,
                speed_mps,
                heading_deg,
            },
            patch: (!patch.is_empty()).then(|| Box::new(patch)),
        }),
        _ => Err(errors),
    }
}

fn point(raw: &RawFix<'_>, errors: &mut Vec<FieldError>) -> Option<Point> {
    let lat = required_number("lat", raw.lat.as_ref(), errors);
    let lon = required_number("lon", raw.lon.as_ref(), errors);
    match Point::new(lat?, lon?) {
        Ok(point) => Some(point),
        Err(error) => {
            let name = match error {
                PointError::Latitude => "lat",
                PointError::Longitude => "lon",
            };
            errors.push(FieldError::new(name, error.to_string()));
            None
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an integer beyond 2^53 is out of every field's range"
)]
fn number(value: &Loose<'_>) -> Option<f64> {
    match value {
        Loose::Int(value) => Some(*value as f64),
        Loose::Float(value) => Some(*value),
        _ => None,
    }
}

fn required_number(name: &'static str, value: Option<&Loose<'_>>, errors: &mut Vec<FieldError>) -> Option<f64> {
    let detail = match value {
        None | Some(Loose::Null) => "is required".to_owned(),
        Some(value) => match number(value) {
            Some(number) => return Some(number),
            None => format!("must be a number, not {}", value.type_name()),
        },
    };
    errors.push(FieldError::new(name, detail));
    None
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is finer than any of these sensors"
)]
fn optional_number(
    name: &'static str,
    value: Option<&Loose<'_>>,
    (least, most): (f32, f32),
    what: &str,
    errors: &mut Vec<FieldError>,
) -> Option<f32> {
    let value = value.filter(|value| **value != Loose::Null)?;
    let number = number(value).map(|number| number as f32);
    if number.is_none_or(|number| !(least..=most).contains(&number)) {
        errors.push(FieldError::new(name, format!("must be a number {what}")));
    }
    number
}

fn timestamp_of(raw: &RawFix<'_>, clock: Clock, errors: &mut Vec<FieldError>) -> i64 {
    let parsed = match &raw.timestamp {
        None | Some(Loose::Null) => return clock.now_ms,
        Some(Loose::Int(value)) => timestamp::from_number(*value),
        Some(Loose::Float(value)) => timestamp::from_float(*value),
        Some(Loose::Text(text)) => parse_rfc3339(text),
        Some(_) => None,
    };
    let detail = match parsed {
        None => "must be RFC 3339 or epoch milliseconds",
        Some(at) if at > clock.now_ms + MAX_AHEAD_MS => "is more than 60 s in the future",
        Some(at) if at <= clock.now_ms - clock.ttl_ms => "is older than the time to live",
        Some(at) => return at,
    };
    errors.push(FieldError::new("timestamp", detail));
    clock.now_ms
}
