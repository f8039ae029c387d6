//! Parses clients' input into the model. Nothing here accesses Redis. Values that pass are valid; others are refused member by member.
//!
//! Of a position only id, place and time decide whether it is accepted. Other members are normalised, or dropped with a warning.
//! Devices use different names for one member and send several of them: the first usable value counts, in the order of `names`. One
//! *name* that is given twice is a fault of the sender. `null` means "not known".

mod batch;
mod cursor;
mod loose;
mod names;
mod profile;
mod query;
mod raw;
mod side;
mod split;
#[cfg(test)]
mod tests;
mod time;
mod warnings;

pub use crate::http::timestamp::parse_rfc3339;
pub use batch::{Batch, Element, Rejection, parse_batch, parse_ndjson};
pub use cursor::{Cursor, write_cursor};
pub use profile::parse_profile;
pub use query::{
    MAX_ANSWERS, MAX_LIMIT, MAX_QUERIES, MAX_RADIUS_M, NearbyParameters, Source, WithinParameters, parse_queries,
};
pub use raw::MAX_BATCH;
pub use warnings::{PositionWarning, Warnings};

use super::model::Fix;
use super::patch::ProfilePatch;
use crate::geo::{MAX_LATITUDE_DEG, Point, PointError};
use crate::http::FieldError;
use crate::ids::Id;
use loose::{Loose, number};
use names::Member;
use raw::RawFix;

/// How far the clock of a sender may be ahead of ours, milliseconds.
pub const MAX_AHEAD_MS: i64 = 60_000;

/// How far a coordinate may exceed its limit by rounding, degrees: a decimetre.
const ROUNDING_DEG: f64 = 1e-6;
const MAX_LONGITUDE_DEG: f64 = 180.0;

/// A valid fix with its profile members.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The fix.
    pub fix: Fix,
    /// The profile members that were sent with it, if any.
    pub patch: Option<Box<ProfilePatch>>,
    /// The members of the position that were dropped.
    pub warnings: Vec<FieldError>,
}

/// A fault of a body as a whole.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or cut off, or nested too deep.
    #[error("{0}")]
    Malformed(String),
    /// JSON of a wrong form or with values that are not valid.
    #[error("the body is not valid")]
    Unacceptable(Vec<FieldError>),
    /// More elements than a batch may have.
    #[error("a batch has at most 10000 positions")]
    TooMany,
}

/// The time against which validity is checked.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Unix milliseconds.
    pub now_ms: i64,
    /// TTL of the kind, milliseconds.
    pub ttl_ms: i64,
}

impl Clock {
    /// Returns whether a fix is older than its time to live; then it is stale, regardless of the stored one.
    #[must_use]
    pub const fn outdates(self, fix: &Fix) -> bool {
        fix.timestamp_ms <= self.now_ms - self.ttl_ms
    }
}

/// Parses the body of a single position of the entity `of`.
///
/// # Errors
/// [`BodyError`] with the invalid fields.
pub fn parse_fix(body: &[u8], of: &Id, clock: Clock) -> Result<Report, BodyError> {
    let mut raw = RawFix::default();
    raw.fill(unmarked(body)).map_err(|error| malformed(&error))?;
    let id = raw.read(Member::Id, |value| match value {
        Loose::Text(text) if **text == **of => Ok(Some(())),
        Loose::Text(_) => Err(format!("must be {of}, the id in the path, or be left out")),
        other => Err(format!("must be a string, not {}", other.type_name())),
    });
    match (id, validate(&mut raw, clock)) {
        (Ok(_), report) => report.map_err(BodyError::Unacceptable),
        (Err(detail), report) => {
            let mut errors = vec![FieldError::new(Member::Id.name(), detail)];
            errors.extend(report.err().unwrap_or_default());
            Err(BodyError::Unacceptable(errors))
        }
    }
}

/// Returns a text without the byte-order mark that editors and .NET prepend; it is not part of JSON (RFC 8259, section 8.1).
fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

fn malformed(error: &serde_json::Error) -> BodyError {
    if error.is_data() {
        return BodyError::Unacceptable(vec![FieldError::new("", error.to_string())]);
    }
    BodyError::Malformed(format!("the body is not JSON: {error}"))
}

fn validate(raw: &mut RawFix<'_>, clock: Clock) -> Result<Report, Vec<FieldError>> {
    if let Some(what) = raw.not_an_object {
        return Err(vec![FieldError::new("", format!("must be an object, not {what}"))]);
    }
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for member in raw.repeated() {
        if member.decides() {
            errors.push(FieldError::new(member.name(), "is given twice"));
        } else {
            warnings.push(FieldError::new(member.name(), "is given twice; the first value counts"));
        }
    }
    let point = point(raw, &mut errors);
    let timestamp_ms = time::timestamp(raw, clock, &mut errors);
    let readings = side::readings(raw, &mut warnings);
    let patch = side::patch(raw, &mut warnings);
    warnings.truncate(side::MAX_WARNINGS);
    match point {
        Some(point) if errors.is_empty() => Ok(Report {
            fix: Fix {
                point,
                timestamp_ms,
                // The writer sets it.
                received_us: 0,
                accuracy_m: readings.accuracy_m,
                altitude_m: readings.altitude_m,
                speed_mps: readings.speed_mps,
                heading_deg: readings.heading_deg,
            },
            patch: (!patch.is_empty()).then(|| Box::new(patch)),
            warnings,
        }),
        _ => Err(errors),
    }
}

fn point(raw: &RawFix<'_>, errors: &mut Vec<FieldError>) -> Option<Point> {
    let lat = coordinate(raw, Member::Lat, errors);
    let lon = coordinate(raw, Member::Lon, errors);
    match Point::new(clamped(lat?), wrapped(lon?)) {
        Ok(point) => Some(point),
        Err(error) => {
            let member = match error {
                PointError::Latitude => Member::Lat,
                PointError::Longitude => Member::Lon,
            };
            errors.push(FieldError::new(member.name(), error.to_string()));
            None
        }
    }
}

fn coordinate(raw: &RawFix<'_>, member: Member, errors: &mut Vec<FieldError>) -> Option<f64> {
    let read = raw.read(member, |value| number(value).map(Some).ok_or(value.type_name()));
    let detail = match read {
        Ok(Some(degrees)) => return Some(degrees),
        Ok(None) => "is required".to_owned(),
        Err(what) => format!("must be a number, not {what}"),
    };
    errors.push(FieldError::new(member.name(), detail));
    None
}

/// Returns the limit for a latitude that exceeds it by rounding: maps also cut off at 85.051129.
fn clamped(lat: f64) -> f64 {
    let is_rounded = lat.abs() <= MAX_LATITUDE_DEG + ROUNDING_DEG;
    if is_rounded {
        lat.clamp(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG)
    } else {
        lat
    }
}

/// Wraps a longitude that exceeds ±180° by rounding.
fn wrapped(lon: f64) -> f64 {
    let is_rounded = lon.abs() > MAX_LONGITUDE_DEG && lon.abs() <= MAX_LONGITUDE_DEG + ROUNDING_DEG;
    if is_rounded {
        lon - lon.signum() * 2.0 * MAX_LONGITUDE_DEG
    } else {
        lon
    }
}
