//! Members of a fix: their names, their types, what is missing, what is given twice.

use super::*;

#[test]
fn every_name_that_apps_send_is_understood() {
    let full = Fix {
        point: Point::new(40.7, -74.0).unwrap(),
        timestamp_ms: NOW,
        accuracy_m: Some(5.0),
        altitude_m: Some(12.5),
        speed_mps: Some(8.5),
        heading_deg: Some(211.0),
    };
    for (lat, lon, accuracy, altitude, speed, heading) in [
        ("lat", "lon", "accuracy_m", "altitude_m", "speed_mps", "heading_deg"),
        ("latitude", "longitude", "accuracy", "altitude", "speed", "heading"),
        ("lat", "lng", "accuracy", "altitude_m", "speed", "bearing"),
    ] {
        let body = format!(
            r#"{{"{lat}": 40.7, "{lon}": -74, "{accuracy}": 5, "{altitude}": 12.5, "{speed}": 8.5, "{heading}": 211}}"#
        );
        assert_eq!(fix(&body), full, "{body}");
    }
}

#[test]
fn a_name_is_matched_as_it_is_written() {
    assert_eq!(faults(r#"{"Lat": 1, "LON": 2}"#), ["/lat", "/lon"]);
    // Escapes are only another way to write it.
    assert_eq!(fix(r#"{"l\u0061t": 1, "lon": 2}"#).point, Point::new(1.0, 2.0).unwrap());
}

#[test]
fn a_member_given_twice_is_refused_under_whichever_names() {
    for (first, second, pointer) in [
        ("lat", "lat", "/lat"),
        ("lat", "latitude", "/lat"),
        ("lng", "lon", "/lon"),
        ("longitude", "lng", "/lon"),
        ("timestamp", "timestamp", "/timestamp"),
        ("accuracy", "accuracy_m", "/accuracy_m"),
        ("altitude", "altitude_m", "/altitude_m"),
        ("speed", "speed_mps", "/speed_mps"),
        ("heading", "bearing", "/heading_deg"),
        ("bearing", "heading_deg", "/heading_deg"),
    ] {
        let now = if first == "timestamp" { "null" } else { "1" };
        let body = format!(r#"{{"{first}": {now}, "x": 0, "{second}": {now}}}"#);
        assert!(faults(&body).contains(&pointer.to_owned()), "{body}");
    }
    for name in ["status", "vehicle_type", "capacity", "attributes"] {
        let body = with(&format!(r#""{name}": null, "{name}": null"#));
        assert_eq!(faults(&body), [format!("/{name}")]);
    }
    // Even if the first says that it is not known.
    assert!(faults(r#"{"lat": null, "lat": 1, "lon": 2}"#).contains(&"/lat".to_owned()));
    // What means nothing to us may be given as often as one likes.
    fix(&with(r#""x": 1, "x": 2"#));
}

#[test]
fn what_is_missing_or_null_is_named() {
    assert_eq!(faults("{}"), ["/lat", "/lon"]);
    assert_eq!(faults(r#"{"lat": 1}"#), ["/lon"]);
    assert_eq!(faults(r#"{"lat": null, "lon": null}"#), ["/lat", "/lon"]);
    let sparse = fix(&with(
        r#""timestamp": null, "accuracy_m": null, "altitude": null, "speed": null, "bearing": null, "status": null"#,
    ));
    assert_eq!((sparse.timestamp_ms, sparse.speed_mps), (NOW, None));
}

#[test]
fn a_wrong_type_is_a_fault_of_its_member() {
    for wrong in [
        "\"1\"",
        "true",
        "false",
        "[]",
        "[1]",
        "[\"a\"]",
        "{}",
        "{\"lat\": 1}",
        "\"\"",
    ] {
        assert_eq!(faults(&format!(r#"{{"lat": {wrong}, "lon": 2}}"#)), ["/lat"], "{wrong}");
        assert_eq!(faults(&format!(r#"{{"lat": 1, "lng": {wrong}}}"#)), ["/lon"], "{wrong}");
        for name in ["accuracy_m", "altitude_m", "speed_mps", "heading_deg"] {
            assert_eq!(faults(&with(&format!(r#""{name}": {wrong}"#))), [format!("/{name}")]);
        }
        assert_eq!(faults(&with(&format!(r#""capacity": {wrong}"#))), ["/capacity"]);
    }
    for wrong in ["true", "[]", "[\"2026-11-21T10:00:00Z\"]", "{}", "\"\"", "\"now\""] {
        assert_eq!(
            faults(&with(&format!(r#""timestamp": {wrong}"#))),
            ["/timestamp"],
            "{wrong}"
        );
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let body = r#"{"lat": 91, "lon": "x", "heading": 360, "speed": -1, "timestamp": 1, "status": 7, "capacity": -1}"#;
    let mut faults = faults(body);
    faults.sort();
    let all = [
        "/capacity",
        "/heading_deg",
        "/lon",
        "/speed_mps",
        "/status",
        "/timestamp",
    ];
    assert_eq!(faults, all);
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [
        "null",
        "true",
        "1",
        "-1",
        "1.5",
        "\"x\"",
        "[]",
        "[{\"lat\": 1, \"lon\": 2}]",
    ] {
        assert_eq!(faults(body), [""], "{body}");
    }
}

#[test]
fn a_body_that_is_no_json_is_malformed() {
    let whole = r#"{"lat": 40.7, "lon": -74.0, "status": "on \u00e9"}"#;
    for end in 0..whole.len() {
        assert!(is_malformed(&whole[..end]), "{}", &whole[..end]);
    }
    for body in [
        "",
        " ",
        "\n",
        "\u{feff}{}",
        "{,}",
        "{\"lat\": 1,}",
        "{lat: 1}",
        "{'lat': 1}",
        "{} {}",
        "{}x",
        "lat=1&lon=2",
        "<lat>1</lat>",
        "{\"lat\": 01}",
        "{\"lat\": +1}",
        "{\"lat\": .5}",
        "{\"lat\": 1.}",
        "{\"lat\": 0x10}",
        "{\"a\": \"\u{1}\"}",
        "{\"a\": \"\\x\"}",
        "{\"a\": \"\\ud800\"}",
        "/* */ {}",
    ] {
        assert!(is_malformed(body), "{body}");
    }
}

#[test]
fn broken_utf8_is_malformed() {
    for broken in [
        &b"\xff"[..],
        b"\xc3",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xc0\xaf",
    ] {
        for (before, after) in [
            (&b"{\"lat\": 1, \"lon\": 2, \"status\": \""[..], &b"\"}"[..]),
            (b"{\"lat\": 1, \"lon\": 2, \"", b"\": 1}"),
            (b"{\"lat\": 1, ", b"\"lon\": 2}"),
            (b"", b""),
        ] {
            let body = [before, broken, after].concat();
            assert!(is_malformed(&body), "{}", body.escape_ascii());
        }
    }
}
