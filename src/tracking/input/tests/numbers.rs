//! Numbers at and beyond their limits, and what is no number in any spelling.

use super::*;

/// What does not belong to JSON, however some writers spell it.
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
/// Grammatical numbers that no double holds.
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
        for spelling in BARE.iter().chain(&BEYOND) {
            assert!(
                is_malformed(with(&format!(r#""{name}": {spelling}"#))),
                "{name} {spelling}"
            );
        }
    }
    for name in OPTIONAL.into_iter().chain(["timestamp", "capacity"]) {
        for spelling in QUOTED {
            assert_eq!(
                faults(&with(&format!(r#""{name}": "{spelling}""#))),
                [format!("/{name}")]
            );
        }
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
        let told: (f64, f64) = (lat.parse().unwrap(), lon.parse().unwrap());
        assert_eq!((fix.point.lat(), fix.point.lon()), told);
    }
    for lat in [
        "85.05112879",
        "-85.05112879",
        "90",
        "-90",
        "1e308",
        "9223372036854775808",
        "-9223372036854775809",
    ] {
        assert_eq!(faults(&format!(r#"{{"lat": {lat}, "lon": 0}}"#)), ["/lat"], "{lat}");
    }
    for lon in [
        "180.00000000000003",
        "-180.00000000000003",
        "181",
        "-360",
        "18446744073709551616",
        "-1.7e308",
    ] {
        assert_eq!(faults(&format!(r#"{{"lat": 0, "lon": {lon}}}"#)), ["/lon"], "{lon}");
    }
}

#[test]
fn readings_are_taken_up_to_their_limits_and_no_further() {
    for (name, taken, refused) in [
        ("accuracy_m", ["0", "10000000"], ["-0.001", "10000002"]),
        ("altitude_m", ["-100000", "1000000"], ["-100000.1", "1000001"]),
        ("speed_mps", ["0", "10000"], ["-1e-9", "10000.01"]),
        ("heading_deg", ["0", "359.99997"], ["-0.0001", "360"]),
    ] {
        for value in taken {
            fix(&with(&format!(r#""{name}": {value}"#)));
        }
        for value in refused.into_iter().chain(["1e300", "-1e300"]) {
            assert_eq!(
                faults(&with(&format!(r#""{name}": {value}"#))),
                [format!("/{name}")],
                "{value}"
            );
        }
    }
}

#[test]
fn a_heading_that_rounds_up_to_the_full_circle_is_refused() {
    assert_eq!(faults(&with(r#""heading": 359.999999999"#)), ["/heading_deg"]);
}
