//! Tests of the parsers: each input is accepted or refused with a reason, and none causes a panic.

mod aliases;
mod batches;
mod fixes;
mod ids;
mod memory;
mod nesting;
mod numbers;
mod profiles;
mod properties;
mod queries;
mod query_strings;
mod side;
mod split;
mod timestamps;

use super::*;
use crate::http::{Problem, Query};
use crate::kind::Kind;
use crate::tracking::model::{NearbyQuery, WithinQuery};
use serde_json::Value;

const NOW: i64 = 1_790_000_000_123;
const CLOCK: Clock = Clock {
    now_ms: NOW,
    ttl_ms: 300_000,
};

/// Parses a single position, of the entity `d-1`.
fn parse(body: &[u8]) -> Result<Report, BodyError> {
    parse_fix(body, &Id::parse("d-1").unwrap(), CLOCK)
}

/// Parses the query string of `GET …/nearby`.
fn parse_nearby(query: &str) -> Result<(NearbyQuery, Source), Problem> {
    Query::parse(query).map(|Query(NearbyParameters { query, source, .. })| (query, source))
}

/// Parses the query string of `GET …/within`.
fn parse_within(query: &str, kind: Kind) -> Result<WithinQuery, Problem> {
    Query::parse(query).and_then(|Query(parameters): Query<WithinParameters>| parameters.page(kind))
}

/// Parses a body that has to be a valid position.
#[track_caller]
fn report(body: &str) -> Report {
    match parse(body.as_bytes()) {
        Ok(report) => report,
        Err(error) => panic!("{body}: {error:?}"),
    }
}

/// Parses a body that has to be accepted without warnings.
#[track_caller]
fn fix(body: &str) -> Fix {
    let report = report(body);
    assert_eq!(report.warnings, [], "{body}");
    report.fix
}

/// Returns the pointers of the warnings about a body that has to be accepted.
#[track_caller]
fn dropped(body: &str) -> Vec<String> {
    report(body)
        .warnings
        .into_iter()
        .map(|warning| warning.pointer)
        .collect()
}

/// The pointers of the faults of a body that is JSON but not a valid fix.
#[track_caller]
fn faults(body: &str) -> Vec<String> {
    pointers(body, parse(body.as_bytes()))
}

#[track_caller]
fn pointers<T: std::fmt::Debug>(what: &str, parsed: Result<T, impl Into<Problem>>) -> Vec<String> {
    let (status, pointers) = reported(&parsed.map_err(Into::into).unwrap_err());
    assert_eq!(status, 422, "{what}");
    pointers
}

/// The faults of a problem, each with its place.
fn details(problem: &Problem) -> Vec<String> {
    let body: Value = serde_json::to_value(problem).unwrap();
    let errors = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let detail = |error| format!("{}: {}", text(error, "pointer"), text(error, "detail"));
    errors.iter().map(detail).collect()
}

/// Whether a body of queries or of a profile cannot be read at all.
fn is_unreadable<T: std::fmt::Debug>(parsed: Result<T, Problem>) -> bool {
    reported(&parsed.unwrap_err()) == (400, Vec::new())
}

/// Whether a body cannot be read at all.
fn is_malformed(body: impl AsRef<[u8]>) -> bool {
    matches!(parse(body.as_ref()), Err(BodyError::Malformed(_)))
}

/// A fix with one more member.
fn with(member: &str) -> String {
    format!(r#"{{"lat": 40.7, "lon": -74.0, {member}}}"#)
}

/// The status of a problem and what its errors name, as clients see them: members by their pointers, parameters as `/NAME`. Those of a
/// 400 are in its detail as well.
fn reported(problem: &Problem) -> (u64, Vec<String>) {
    let body: Value = serde_json::to_value(problem).unwrap();
    let errors = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let pointers = errors
        .iter()
        .filter_map(|error| match error["parameter"].as_str() {
            Some(name) => (body["status"] != 400).then(|| format!("/{name}")),
            None => Some(error["pointer"].as_str().unwrap().to_owned()),
        })
        .collect();
    (body["status"].as_u64().unwrap(), pointers)
}
