//! Numbers at and beyond their limits, and texts that are not numbers.

use super::*;

/// Numbers that are not JSON, in the spellings of some writers.
const BARE: [&str; 12] = [
    "NaN",
    "nan",
    "-NaN",
    "Infinity",
    "-Infinity",
    "+Infinity",
    "inf",
    "-inf",
    "INF",
    "1.#INF",
    "undefined",
    "1e",
];
/// Valid JSON numbers that no double can represent.
const BEYOND: [&str; 4] = ["1e999", "-1e999", "1e309", "-2.5E400"];
/// The same as text.
const QUOTED: [&str; 8] = ["NaN", "nan", "Infinity", "-Infinity", "inf", "1e999", "40.7", ""];
const OPTIONAL: [&str; 4] = ["accuracy_m", "altitude_m", "speed_mps", "heading_deg"];

#[test]
fn nothing_that_is_not_finite_is_a_coordinate() {
    for spelling in BARE.iter().chain(&BEYOND) {
        assert!(
            is_malformed(format!(r#"{{"lat": {spelling}, "lon": 2}}"#)),
            "{spelling}"
        );
        assert!(
            is_malformed(format!(r#"{{"lat": 1, "lon": {spelling}}}"#)),
            "{spelling}"
        );
    }
    for spelling in QUOTED {
        assert_eq!(faults(&format!(r#"{{"lat": "{spelling}", "lon": 2}}"#)), ["/lat"]);
        assert_eq!(faults(&format!(r#"{{"lat": 1, "lon": "{spelling}"}}"#)), ["/lon"]);
    }
}

#[test]
fn nor_is_it_any_other_number() {
    for name in OPTIONAL.into_iter().chain(["timestamp", "capacity", "x"]) {
        for spelling in BARE {
            assert!(
                is_malformed(with(&format!(r#""{name}": {spelling}"#))),
                "{name} {spelling}"
            );
        }
        for spelling in BEYOND {
            let body = with(&format!(r#""{name}": {spelling}"#));
            match name {
                "timestamp" => assert!(is_malformed(&body), "{body}"),
                "x" => drop(fix(&body)),
                name => assert_eq!(dropped(&body), [format!("/{name}")]),
            }
        }
    }
    for spelling in QUOTED.iter().filter(|spelling| **spelling != "40.7") {
        for name in OPTIONAL.into_iter().chain(["capacity"]) {
            assert_eq!(
                dropped(&with(&format!(r#""{name}": "{spelling}""#))),
                [format!("/{name}")]
            );
        }
        assert_eq!(faults(&with(&format!(r#""timestamp": "{spelling}""#))), ["/timestamp"]);
    }
}

#[test]
fn coordinates_are_taken_up_to_their_limits_and_no_further() {
    for (lat, lon) in [
        ("85.05112878", "180"),
        ("-85.05112878", "-180"),
        ("0", "180.0"),
        ("-0.0", "-0"),
        ("1e-320", "-4.9e-324"),
        ("8.505112878e1", "1.8E+2"),
        ("0.00000000000000000000000000000000000000001", "179.99999999999997"),
    ] {
        let fix = fix(&format!(r#"{{"lat": {lat}, "lon": {lon}}}"#));
        let given: (f64, f64) = (lat.parse().unwrap(), lon.parse().unwrap());
        assert_eq!((fix.point.lat(), fix.point.lon()), given);
    }
    for lat in [
        "85.0511298",
        "-85.0511298",
        "90",
        "90.0000001",
        "-90",
        "1e308",
        "9223372036854775808",
        "-9223372036854775809",
    ] {
        assert_eq!(faults(&format!(r#"{{"lat": {lat}, "lon": 0}}"#)), ["/lat"], "{lat}");
    }
    for lon in [
        "180.0000011",
        "-180.0000011",
        "181",
        "-360",
        "18446744073709551616",
        "-1.7e308",
    ] {
        assert_eq!(faults(&format!(r#"{{"lat": 0, "lon": {lon}}}"#)), ["/lon"], "{lon}");
    }
}

#[test]
fn a_coordinate_beyond_its_limit_by_rounding_is_taken() {
    for (lat, lon, is) in [
        ("85.05112879", "0", (85.051_128_78, 0.0)),
        ("-85.051129", "0", (-85.051_128_78, 0.0)),
        ("0", "180.00000000000003", (0.0, -179.999_999_999_999_97)),
        ("0", "180.0000001", (0.0, -179.999_999_9)),
        ("0", "-180.000001", (0.0, 179.999_999)),
    ] {
        let point = fix(&format!(r#"{{"lat": {lat}, "lon": {lon}}}"#)).point;
        assert!(
            (point.lat() - is.0).abs() < 1e-12 && (point.lon() - is.1).abs() < 1e-12,
            "{point:?}"
        );
    }
}

#[test]
fn readings_are_taken_up_to_their_limits_and_dropped_beyond() {
    for (name, taken, dropped_of) in [
        (
            "accuracy_m",
            &["0", "10000000", "\"12.5\""][..],
            &["-0.001", "-2", "10000002"][..],
        ),
        (
            "altitude_m",
            &["-100000", "1000000", "-1", "\" -12 \""],
            &["-100000.1", "1000001"],
        ),
        ("speed_mps", &["0", "10000", "\"0\""], &["-1e-9", "-1.0001", "10000.01"]),
    ] {
        for value in taken {
            fix(&with(&format!(r#""{name}": {value}"#)));
        }
        for value in dropped_of.iter().chain(&["1e300", "-1e300"]) {
            let body = with(&format!(r#""{name}": {value}"#));
            assert_eq!(dropped(&body), [format!("/{name}")], "{value}");
        }
    }
}

#[test]
fn a_heading_is_taken_modulo_360_and_never_becomes_the_full_circle() {
    let of = |value: &str| fix(&with(&format!(r#""heading": {value}"#))).heading_deg;
    for (value, is) in [
        ("0", 0.0),
        ("360", 0.0),
        ("-90", 270.0),
        ("720.5", 0.5),
        ("-0.5", 359.5),
        ("\"211.5\"", 211.5),
        ("359.99999", 360.0_f32.next_down()),
        ("359.999999999", 360.0_f32.next_down()),
        ("-1e-9", 360.0_f32.next_down()),
        ("-4.9e-324", 360.0_f32.next_down()),
    ] {
        assert_eq!(of(value), Some(is), "{value}");
    }
    for value in ["1e300", "-1e300", "1.7976931348623157e308", "-9223372036854775808"] {
        assert!(
            of(value).is_some_and(|heading| (0.0..360.0).contains(&heading)),
            "{value}"
        );
    }
}

#[test]
fn minus_one_means_that_a_measurement_is_unknown() {
    for value in ["-1", "-1.0", "\"-1\""] {
        let fix = fix(&with(&format!(
            r#""speed": {value}, "course": {value}, "accuracy": {value}, "altitude": {value}"#
        )));
        assert_eq!((fix.speed_mps, fix.heading_deg, fix.accuracy_m), (None, None, None));
        assert_eq!(fix.altitude_m, Some(-1.0));
    }
}
