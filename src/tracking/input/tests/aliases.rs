//! Names: their meaning, and which of several values counts.

use super::*;

const OLD: i64 = NOW - 3_600_000;

#[test]
fn every_name_that_devices_send_is_understood() {
    let full = Fix {
        point: Point::new(40.7, -74.0).unwrap(),
        timestamp_ms: OLD,
        received_us: 0,
        accuracy_m: Some(5.0),
        altitude_m: Some(12.5),
        speed_mps: Some(8.5),
        heading_deg: Some(211.0),
    };
    for (lat, lon, time, accuracy, altitude, speed, heading) in [
        (
            "lat",
            "lon",
            "timestamp",
            "accuracy_m",
            "altitude_m",
            "speed_mps",
            "heading_deg",
        ),
        (
            "latitude",
            "longitude",
            "time",
            "accuracy",
            "altitude",
            "speed",
            "heading",
        ),
        ("lat", "lng", "tst", "acc", "alt", "speed", "bearing"),
        ("lat", "lon", "ts", "acc", "alt", "speed", "course"),
        ("lat", "lon", "timestamp_ms", "acc", "alt", "speed", "course"),
        ("lat", "lon", "recorded_at", "acc", "alt", "speed", "course"),
        ("Lat", "LON", "Timestamp", "Accuracy", "ALT", "Speed", "Course"),
        (
            "LATITUDE",
            "Lng",
            "Recorded_At",
            "ACC",
            "Altitude",
            "SPEED_MPS",
            "Bearing",
        ),
    ] {
        let body = format!(
            r#"{{"{lat}": 40.7, "{lon}": -74, "{time}": {OLD}, "{accuracy}": 5, "{altitude}": 12.5, "{speed}": 8.5, "{heading}": 211}}"#
        );
        assert_eq!(fix(&body), full, "{body}");
    }
    // An escape is another way to write the same name.
    assert_eq!(fix(r#"{"l\u0061t": 1, "lon": 2}"#).point, Point::new(1.0, 2.0).unwrap());
}

#[test]
fn a_profile_is_read_in_any_case_too() {
    let patch = |member: &str| report(&with(member)).patch.unwrap();
    assert_eq!(patch(r#""Status": "busy""#), patch(r#""status": "busy""#));
    assert_eq!(
        patch(r#""status": null, "STATUS": "busy""#),
        patch(r#""status": "busy""#)
    );
    assert_eq!(
        patch(r#""STATUS": "free", "status": "busy""#),
        patch(r#""status": "busy""#)
    );
    assert_eq!(patch(r#""Attributes": {"a": 1}"#), patch(r#""attributes": {"a": 1}"#));
}

#[test]
fn other_names_are_ignored() {
    let members = [
        r#""timestamps": 5"#,
        r#""vel": -3"#,
        r#""headings": "x""#,
        r#""recordedAt": "never""#,
        r#""x": 1, "x": 2"#,
        r#""tſ": 1"#,
        r#""a name that is longer than any of ours": []"#,
    ];
    for member in members {
        assert_eq!(fix(&with(member)), fix(r#"{"lat": 40.7, "lon": -74.0}"#), "{member}");
    }
}

#[test]
fn of_several_names_the_first_in_order_counts() {
    let times = ["timestamp", "timestamp_ms", "time", "ts", "tst", "recorded_at"];
    for (rank, name) in times.iter().enumerate() {
        // The order in the body does not matter.
        let later: Vec<_> = times[rank..]
            .iter()
            .rev()
            .map(|name| format!(r#""{name}": {}"#, if *name == times[rank] { OLD } else { NOW }))
            .collect();
        assert_eq!(fix(&with(&later.join(","))).timestamp_ms, OLD, "{name}");
    }
    for (members, heading) in [
        (r#""bearing": 2, "heading": 1"#, 1.0),
        (r#""course": 3, "bearing": 2"#, 2.0),
        (r#""heading_deg": 0, "course": 3"#, 0.0),
        (r#""Heading": 4, "bearing": 2"#, 4.0),
        (r#""HEADING": 5, "heading": 1"#, 1.0),
        (r#""Heading": 4, "HEADING": 5"#, 4.0),
    ] {
        assert_eq!(fix(&with(members)).heading_deg, Some(heading), "{members}");
    }
    let point = fix(r#"{"latitude": 5, "lat": 1, "longitude": 6, "lng": 2}"#).point;
    assert_eq!(point, Point::new(1.0, 2.0).unwrap());
}

#[test]
fn null_and_what_cannot_be_used_leave_it_to_the_next_name() {
    for (members, heading) in [
        (r#""heading": null, "bearing": 90"#, Some(90.0)),
        (r#""bearing": 90, "heading": null"#, Some(90.0)),
        (r#""heading": -1, "course": 90"#, Some(90.0)),
        (r#""heading": "north", "course": 90"#, Some(90.0)),
        (r#""heading": 1e999, "course": 90"#, Some(90.0)),
        (r#""heading": null, "course": null"#, None),
        (r#""heading": -1, "course": null"#, None),
    ] {
        assert_eq!(fix(&with(members)).heading_deg, heading, "{members}");
    }
    for members in [
        r#""timestamp": null, "tst": 1790000000"#,
        r#""timestamp": "noon", "tst": 1790000000"#,
        r#""time": 86399, "tst": 1790000000"#,
        r#""timestamp": 1790000000123000, "tst": 1790000000"#,
    ] {
        assert_eq!(fix(&with(members)).timestamp_ms, 1_790_000_000_000, "{members}");
    }
    assert_eq!(
        fix(r#"{"lat": null, "latitude": 1, "lon": "x", "lng": 2}"#).point,
        Point::new(1.0, 2.0).unwrap()
    );
    // If no value is usable, the fault of the first is reported, and the time does not default to now.
    assert_eq!(faults(&with(r#""timestamp": "noon", "ts": 5"#)), ["/timestamp"]);
    assert_eq!(dropped(&with(r#""speed_mps": "fast", "speed": -5"#)), ["/speed_mps"]);
}

#[test]
fn one_name_given_twice_is_refused_where_it_decides() {
    for (name, pointer) in [
        ("id", "/id"),
        ("lat", "/lat"),
        ("latitude", "/lat"),
        ("lng", "/lon"),
        ("timestamp", "/timestamp"),
        ("tst", "/timestamp"),
        ("Timestamp", "/timestamp"),
    ] {
        for value in ["null", "1"] {
            let body = format!(r#"{{"{name}": {value}, "x": 0, "{name}": {value}}}"#);
            assert!(faults(&body).contains(&pointer.to_owned()), "{body}");
        }
    }
    assert!(faults(r#"{"lat": 1, "latitude": 1, "l\u0061t": 1, "lon": 2}"#).contains(&"/lat".to_owned()));
}

#[test]
fn one_name_given_twice_costs_no_place_where_it_decides_nothing() {
    for (name, pointer) in [
        ("accuracy", "/accuracy_m"),
        ("alt", "/altitude_m"),
        ("speed", "/speed_mps"),
        ("Course", "/heading_deg"),
        ("status", "/status"),
        ("vehicle_type", "/vehicle_type"),
        ("capacity", "/capacity"),
        ("attributes", "/attributes"),
    ] {
        let body = with(&format!(r#""{name}": null, "{name}": null"#));
        assert_eq!(dropped(&body), [pointer], "{body}");
    }
    let report = report(&with(r#""speed": 3, "speed": 4"#));
    assert_eq!((report.fix.speed_mps, report.warnings.len()), (Some(3.0), 1));
}
