//! Bodies of positions: single, batch and NDJSON, and the bodies of profiles and queries. Held against `serde_json`, which reads the same
//! JSON into values of its own.

use crate::campaign::{bounded, mutated, run};
use fleetpulse::http::{MAX_FAULTS, Problem};
use fleetpulse::ids::Id;
use fleetpulse::tracking::input::{
    Batch, BodyError, Clock, MAX_BATCH, MAX_LIMIT, MAX_RADIUS_M, Report, parse_batch, parse_fix, parse_ndjson,
    parse_profile, parse_queries,
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

const NOW: i64 = 1_790_000_000_123;
const CLOCK: Clock = Clock {
    now_ms: NOW,
    ttl_ms: 300_000,
};

const CORPUS: &[&str] = &[
    r#"{"lat": 40.7, "lon": -74.0}"#,
    r#"{"id": "d-1", "latitude": 40.7, "lng": -74, "timestamp": 1790000000000, "accuracy": 5, "altitude": 12.5, "speed": 3, "bearing": 359.9}"#,
    r#"{"lat": 1, "lon": 2, "timestamp": "2026-09-21T14:13:20.123+02:00", "heading_deg": -1, "status": "free", "vehicle_type": "van", "capacity": "4", "attributes": {"a": 1.50, "b": "x", "c": null, "d": true}}"#,
    r#"{"Lat": 40.7, "LAT": 1, "LON": "x", "longitude": 2, "x": {"lat": [1, {"a": "\"]}"}]}}"#,
    r#"{"lat": 1e0, "lon": -0.0, "heading": 1e999, "status": "\ud83d", "x": "\udc00\u0000", "ts": 1790000000.5}"#,
    r#"{"lat": 85.051129, "lon": 180.0000005, "lat": 1}"#,
    r#"[{"id": "a", "lat": 1, "lon": 2}, {"id": "b", "lat": 91, "lon": 2}, 7, null, {"id": "nearby", "lat": 1, "lon": 2}]"#,
    r#"[{"id": "a", "lat": 1, "lon": 2, "heading": NaN}, {"id": "b", "lat": 1, "lon": 2,}, , {"id": "c", "lat": 1, "lon": 2}]"#,
    r#"{"positions": [{"id": "a", "lat": 1, "lon": 2, "status": 7}, []], "x": [1]}"#,
    "{\"id\": \"a\", \"lat\": 1, \"lon\": 2}\n\n{\"id\": \"b\", \"lat\": 1, \"lon\": 2}\r\n\u{feff}{\"id\": \"c\"}",
    r#"{"queries": [{"lat": 1, "lon": 2, "radius_m": 500, "limit": 10, "status": ["free", "busy"], "vehicle_type": "van", "max_age_s": 60, "min_capacity": 2}, {"latitude": 1, "lng": 539}]}"#,
    r#"{"status": null, "vehicle_type": "van", "capacity": 4, "attributes": {"a": 1e400, "b": 12345678901234567890, "c": null}}"#,
    r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [-74, 40.7]}, "properties": {"id": "a"}}]}"#,
];
const TOKENS: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "{\"a\":",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\u0061",
    "\n",
    "\u{feff}",
    "null",
    "true",
    "0",
    "-",
    "1e999",
    "-0",
    "0.1",
    "18446744073709551615",
    "9223372036854775808",
    "180",
    "1790000000123",
    "\"lat\":",
    "\"lon\": 2,",
    "\"LAT\": 1,",
    "\"id\": \"a\",",
    "\"positions\":",
    "\"attributes\": {",
    "\"timestamp\":",
    "{\"id\": \"e\", \"lat\": 3, \"lon\": 4},",
    "NaN",
    "é",
];

fn check(body: &[u8]) {
    single(body);
    batch(body);
    lines(body);
    profile(body);
    queries(body);
}

/// A position that is taken is JSON, and stands where `serde_json` reads that it is. One that is refused has a fault.
fn single(body: &[u8]) {
    let id = Id::parse("d-1").unwrap();
    let taken = bounded(body.len(), || parse_fix(body, &id, CLOCK));
    let reference = serde_json::from_slice::<Members>(unmarked(body));
    match taken {
        Ok(report) => {
            assert!(
                serde_json::from_slice::<&RawValue>(unmarked(body)).is_ok(),
                "it is not JSON"
            );
            assert!((1_000_000_000_000..=NOW + 60_000).contains(&report.fix.timestamp_ms));
            assert!(
                report
                    .fix
                    .heading_deg
                    .is_none_or(|heading| (0.0..360.0).contains(&heading))
            );
            assert!(report.fix.speed_mps.is_none_or(|speed| speed >= 0.0));
            if let Ok(members) = reference {
                let (lat, lon) = (members.lat().unwrap(), members.lon().unwrap());
                let point = report.fix.point;
                // Beyond the limits by rounding it is moved to them.
                let rounding = |degrees: f64, most: f64| if degrees.abs() < most { 0.0 } else { 1e-6 };
                assert!((point.lat() - lat).abs() <= rounding(lat, 85.0), "{lat}");
                assert!((point.lon() - lon).abs() % 360.0 <= rounding(lon, 179.0), "{lon}");
            }
        }
        Err(error) => {
            refused(&error);
            assert!(!reference.is_ok_and(|members| members.is_a_place()), "{error:?}");
        }
    }
}

/// Each element of a batch is what it is alone, and what it is as a single position.
fn batch(body: &[u8]) {
    let taken = bounded(body.len(), || parse_batch(body, CLOCK));
    let named = [b"{\"positions\":", unmarked(body), b"}"].concat();
    if let Err(error) = &taken {
        refused(error);
    }
    let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(unmarked(body)) else {
        return;
    };
    let Ok(batch) = taken else {
        assert!(elements.len() > MAX_BATCH);
        return;
    };
    assert_eq!(reports(&parse_batch(&named, CLOCK).unwrap()), reports(&batch));
    assert_eq!(batch.elements.len(), elements.len());
    for (element, text) in batch.elements.iter().zip(elements) {
        let alone = parse_batch(format!("[{text}]").as_bytes(), CLOCK).unwrap();
        assert_eq!(alone.elements[0].as_ref().ok(), element.as_ref().ok(), "{text}");
        match element {
            Ok((id, report)) => {
                let single = parse_fix(text.get().as_bytes(), id, CLOCK).unwrap();
                assert_eq!((&single.fix, &single.patch), (&report.fix, &report.patch), "{text}");
            }
            Err(rejection) => assert!(!rejection.detail.is_empty(), "{text}"),
        }
    }
}

/// Each line is what it is as the only element of a batch.
fn lines(body: &[u8]) {
    let batch = bounded(body.len(), || parse_ndjson(body, CLOCK)).unwrap();
    let lines = body.split(|byte| *byte == b'\n').map(unmarked);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
    assert_eq!(batch.elements.len(), lines.len());
    for (element, line) in batch.elements.iter().zip(lines) {
        if let Err(rejection) = element {
            assert!(!rejection.detail.is_empty());
        }
        if serde_json::from_slice::<&RawValue>(line).is_ok() {
            let alone = parse_batch(&[b"[", line, b"]"].concat(), CLOCK).unwrap();
            assert_eq!(alone.elements[0].as_ref().ok(), element.as_ref().ok());
        } else {
            assert!(element.is_err(), "it is not JSON");
        }
    }
}

fn profile(body: &[u8]) {
    match bounded(body.len(), || parse_profile(body)) {
        Ok(_) => assert!(serde_json::from_slice::<&RawValue>(body).is_ok(), "it is not JSON"),
        Err(problem) => answered(&problem),
    }
}

fn queries(body: &[u8]) {
    match bounded(body.len(), || parse_queries(body)) {
        Ok(queries) => {
            let read: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(read["queries"].as_array().unwrap().len(), queries.len());
            for query in queries {
                assert!((1..=MAX_LIMIT).contains(&query.limit) && (0.0..=MAX_RADIUS_M).contains(&query.radius_m));
            }
        }
        Err(problem) => answered(&problem),
    }
}

fn answered(problem: &Problem) {
    let answer = serde_json::to_value(problem).unwrap();
    assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    let errors = answer["errors"].as_array().map_or(0, Vec::len);
    match answer["status"].as_u64() {
        Some(400) => assert_eq!(errors, 0),
        status => assert!(status == Some(422) && (1..=MAX_FAULTS).contains(&errors), "{answer}"),
    }
}

fn refused(error: &BodyError) {
    match error {
        BodyError::Malformed(detail) => assert!(!detail.is_empty()),
        BodyError::Unacceptable(errors) => {
            assert!(!errors.is_empty() && errors.len() <= 100);
            assert!(errors.iter().all(|error| !error.detail.is_empty()));
        }
        BodyError::TooMany => {}
    }
}

fn reports(batch: &Batch) -> Vec<Option<&(Id, Report)>> {
    batch.elements.iter().map(|element| element.as_ref().ok()).collect()
}

fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The members of an object as `serde_json` reads them, in order; repeated ones as well.
struct Members(Vec<(String, Value)>);

impl Members {
    fn lat(&self) -> Option<f64> {
        self.first_number(&["lat", "latitude"])
    }

    fn lon(&self) -> Option<f64> {
        self.first_number(&["lon", "lng", "longitude"])
    }

    /// The first of the names that has a number counts, in lower case before other spellings.
    fn first_number(&self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| {
            let exact = self.0.iter().find(|(other, _)| other == name);
            let similar = self
                .0
                .iter()
                .find(|(other, _)| other != name && other.eq_ignore_ascii_case(name));
            [exact, similar]
                .into_iter()
                .flatten()
                .find_map(|(_, value)| value.as_f64())
        })
    }

    /// Whether nothing but a place decides about these members, and it is given once.
    fn is_a_place(&self) -> bool {
        const DECIDE: [&str; 12] = [
            "id",
            "lat",
            "latitude",
            "lon",
            "lng",
            "longitude",
            "timestamp",
            "timestamp_ms",
            "time",
            "ts",
            "tst",
            "recorded_at",
        ];
        let given = |name: &&str| {
            self.0
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name))
                .count()
        };
        let place = (self.lat(), self.lon());
        matches!(place, (Some(-85.0..=85.0), Some(-180.0..=180.0))) && DECIDE.iter().map(given).sum::<usize>() == 2
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[test]
fn positions() {
    run("positions", &mutated(CORPUS, TOKENS), |body| check(&body));
}

#[test]
fn regressions() {
    for body in CORPUS {
        check(body.as_bytes());
    }
}
