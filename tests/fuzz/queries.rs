//! Query strings and cursors.

use crate::campaign::{bounded, mutated_text, run};
use actix_web::ResponseError;
use fleetpulse::http::{Problem, Query, QueryString};
use fleetpulse::ids::Id;
use fleetpulse::tracking::Kind;
use fleetpulse::tracking::input::{MAX_LIMIT, MAX_RADIUS_M, NearbyParameters, WithinParameters, write_cursor};
use fleetpulse::tracking::model::WithinQuery;
use std::borrow::Cow;

const CORPUS: &[&str] = &[
    "lat=40.7&lon=-74",
    "lat=40.7&lon=-74&radius_m=500&limit=10&status=free&status=busy&vehicle_type=van&max_age_s=60&min_capacity=2&source=live",
    "lat=-85.05112878&lon=180&source=redis&fields=lat,status",
    "bbox=-74.1,40.6,-73.9,40.8&limit=1000",
    "bbox=170,-10,-170,10&status=free&max_age_s=1.5&min_capacity=4&fields=lat,lon",
    "bbox=-180,-90,180,90&cursor=AQECAwQFBgcIZC0x",
    "lat=%34%30&lon=1e1&status=a%20b+c",
    "lat=NaN&lon=inf",
    "lat=+40&lon=%2B74",
    "&&=&lat&lat==",
    "status=%EF%BF%BD&lat=1&lon=2",
    "latitude=1&lng=2",
];
const TOKENS: &[&str] = &[
    "&",
    "=",
    "%",
    "%FF",
    "%C3",
    "%26",
    "%3D",
    "+",
    "-",
    "1e999",
    "-0",
    "0",
    "NaN",
    "infinity",
    "180",
    "85.05112878",
    "540",
    "lat=",
    "lon=",
    "limit=",
    "radius_m=",
    "bbox=",
    "cursor=",
    "status=",
    "vehicle_type=",
    "max_age_s=",
    "min_capacity=",
    "source=",
    "fields=",
    ",",
    ";",
    "é",
    "&status=a",
];
const KNOWN: &[&str] = &["lat", "lon", "limit", "cursor", "bbox", "a", ""];
const REPEATABLE: &[&str] = &["status", "vehicle_type"];

fn parse_within(query: &str, kind: Kind) -> Result<WithinQuery, Problem> {
    let Query(parameters) = Query::<WithinParameters>::parse(query)?;
    parameters.page(kind)
}

fn check(query: &str) {
    let len = query.len();
    split(query);
    match bounded(len, || Query::<NearbyParameters>::parse(query)) {
        Ok(Query(NearbyParameters { query: nearby, .. })) => {
            assert!((1..=MAX_LIMIT).contains(&nearby.limit) && (0.0..=MAX_RADIUS_M).contains(&nearby.radius_m));
            assert!(nearby.center.lat().abs() <= 90.0 && nearby.center.lon().abs() <= 180.0);
            let lat = value(query, "lat").unwrap();
            assert_eq!(lat.parse(), Ok(nearby.center.lat()), "{lat}");
        }
        Err(problem) => refused(&problem),
    }
    match bounded(len, || parse_within(query, Kind::Drivers)) {
        Ok(within) => {
            assert!((1..=MAX_LIMIT).contains(&within.limit));
            match (&within.after, value(query, "cursor")) {
                (Some(after), Some(cursor)) => assert_eq!(write_cursor(Kind::Drivers, &within, after), cursor),
                (None, None) => continued(query),
                (after, cursor) => panic!("{after:?} by {cursor:?}"),
            }
        }
        Err(problem) => refused(&problem),
    }
}

/// A listing continues after the id that its cursor was written for, and the cursor is of no other kind's listing.
fn continued(query: &str) {
    let last = Id::parse("driver:7@fleet.a_b-C").unwrap();
    let first = parse_within(query, Kind::Drivers).unwrap();
    let cursor = write_cursor(Kind::Drivers, &first, &last);
    let next = format!("{query}&cursor={cursor}");
    assert_eq!(parse_within(&next, Kind::Drivers).unwrap().after, Some(last));
    refused(&parse_within(&next, Kind::Vehicles).unwrap_err());
}

/// A query is split as forms are, or refused.
fn split(query: &str) {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
    match bounded(query.len(), || QueryString::parse(query, KNOWN, REPEATABLE)) {
        Ok(parsed) => {
            for (name, _) in &pairs {
                assert!(KNOWN.contains(&&**name) || REPEATABLE.contains(&&**name), "{name}");
                let expected: Vec<&str> = pairs
                    .iter()
                    .filter_map(|(other, value)| (other == name).then_some(&**value))
                    .collect();
                assert!(expected.len() == 1 || REPEATABLE.contains(&&**name), "{name}");
                assert_eq!(parsed.all(name).collect::<Vec<_>>(), expected);
                assert_eq!(parsed.text(name), expected.first().copied());
            }
        }
        Err(problem) => refused(&problem),
    }
}

fn value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query.as_bytes()).find_map(|(other, value)| (other == name).then_some(value))
}

/// A refusal has one of two statuses and says what is wrong.
fn refused(problem: &Problem) {
    let status = problem.status_code().as_u16();
    assert!(matches!(status, 400 | 422), "{problem}");
    let body = serde_json::to_value(problem).unwrap();
    let errors = body["errors"].as_array().unwrap();
    assert!(!errors.is_empty() && errors.len() <= 100, "{body}");
    assert!(
        errors
            .iter()
            .all(|error| error["detail"].as_str().is_some_and(|detail| !detail.is_empty())),
        "{body}"
    );
}

#[test]
fn queries() {
    run("queries", &mutated_text(CORPUS, TOKENS), |query| check(&query));
}

#[test]
fn regressions() {
    for query in CORPUS {
        check(query);
    }
}
