//! Random bytes, random JSON, random fixes.

use super::*;
use crate::geo::MAX_LATITUDE_DEG;
use crate::ids::{RESERVED_ENTITIES, parse_member};
use crate::tracking::snapshot::{self, Record};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Number, json};

/// Names that some parser knows, so that random JSON reaches more code.
const NAMES: [&str; 18] = [
    "id",
    "lat",
    "latitude",
    "lon",
    "lng",
    "timestamp",
    "accuracy",
    "altitude_m",
    "speed",
    "bearing",
    "status",
    "vehicle_type",
    "capacity",
    "attributes",
    "positions",
    "queries",
    "limit",
    "x",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        (-90.0..90.0_f64).prop_map(|number| json!(number)),
        (NOW - 400_000..NOW + 100_000).prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::String),
        "[a-z0-9-]{1,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::Array),
            vec((prop::sample::select(&NAMES[..]), inner), 0..8).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

fn any_id() -> impl Strategy<Value = Id> {
    "[A-Za-z0-9_:@-][A-Za-z0-9._:@-]{0,127}"
        .prop_filter("no word of paths", |text| parse_member(text, RESERVED_ENTITIES).is_ok())
        .prop_map(|text| Id::parse(&text).unwrap())
}

fn any_fix() -> impl Strategy<Value = Fix> {
    (
        (-MAX_LATITUDE_DEG..=MAX_LATITUDE_DEG, -180.0..=180.0_f64),
        NOW - 299_999..=NOW + 60_000,
        option::of(0.0..=1e7_f32),
        option::of(-1e5..=1e6_f32),
        option::of(0.0..=1e4_f32),
        option::of(0.0..360.0_f32),
    )
        .prop_map(
            |((lat, lon), timestamp_ms, accuracy_m, altitude_m, speed_mps, heading_deg)| Fix {
                point: Point::new(lat, lon).unwrap(),
                timestamp_ms,
                received_us: 0,
                accuracy_m,
                altitude_m,
                speed_mps,
                heading_deg,
            },
        )
}

/// Runs every parser on the same bytes. The results keep the invariants that the rest relies on, whether the bytes are valid or not.
fn parse_all(bytes: &[u8]) {
    let mut reports = Vec::new();
    reports.extend(parse(bytes));
    let batches = [parse_batch(bytes, CLOCK), parse_ndjson(bytes, CLOCK)];
    for element in batches.into_iter().flatten().flat_map(|batch| batch.elements) {
        match element {
            Ok((_, report)) => reports.push(report),
            Err(rejection) => assert!(!rejection.detail.is_empty()),
        }
    }
    for report in reports {
        assert!((1_000_000_000_000..=NOW + 60_000).contains(&report.fix.timestamp_ms));
        assert!(
            report
                .fix
                .heading_deg
                .is_none_or(|heading| (0.0..360.0).contains(&heading))
        );
        assert!(report.fix.speed_mps.is_none_or(|speed| speed >= 0.0));
    }
    let _ = parse_profile(bytes);
    for query in parse_queries(bytes).into_iter().flatten() {
        assert!((1..=MAX_LIMIT).contains(&query.limit) && (0.0..=MAX_RADIUS_M).contains(&query.radius_m));
    }
    let _ = snapshot::read(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (
            parse_nearby(text),
            parse_within(text, Kind::Drivers),
            parse_rfc3339(text),
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_parser(bytes in vec(any::<u8>(), 0..256)) {
        parse_all(&bytes);
    }

    #[test]
    fn nor_does_json(value in any_json()) {
        parse_all(value.to_string().as_bytes());
    }

    #[test]
    fn nor_does_json_that_was_damaged(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        parse_all(&bytes);
        parse_all(&bytes[..at]);
    }

    #[test]
    fn nor_do_query_strings(query in "((lat|lon|limit|radius_m|bbox|status|source|max_age_s|cursor)=[-+0-9.,a-zA-Z%]{0,12}&?){0,6}") {
        if let Ok((query, _)) = parse_nearby(&query) {
            prop_assert!((1..=MAX_LIMIT).contains(&query.limit) && (0.0..=MAX_RADIUS_M).contains(&query.radius_m));
        }
        let _ = parse_within(&query, Kind::Drivers);
    }

    #[test]
    fn a_fix_is_read_from_its_snapshot_as_it_was_written(id in any_id(), fix in any_fix()) {
        let mut json = Vec::new();
        snapshot::write(&mut json, &id, &fix);
        prop_assert_eq!(snapshot::read(&json), Some(Record::Position(id, fix)));
    }

    /// A client that sends a position from an answer sends the same place and time.
    #[test]
    fn a_fix_is_read_as_it_was_written(id in any_id(), fix in any_fix()) {
        let body = json!([{
            "id": id.as_str(), "lat": fix.point.lat(), "lng": fix.point.lon(), "timestamp": fix.timestamp_ms,
            "accuracy": fix.accuracy_m, "altitude": fix.altitude_m, "speed": fix.speed_mps, "bearing": fix.heading_deg,
        }]);
        let batch = parse_batch(body.to_string().as_bytes(), CLOCK).unwrap();
        prop_assert_eq!(batch.elements, [Ok((id, Report { fix, patch: None, warnings: Vec::new() }))]);
        prop_assert_eq!(batch.warnings, Warnings::default());
    }
}
