//! The members that decide whether a position is accepted: wrong types, missing members, invalid JSON.

use super::*;

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
fn all_faults_are_reported_at_once_and_none_of_what_decides_nothing() {
    let body = r#"{"id": 7, "lat": 91, "lon": "x", "speed": -2, "timestamp": 1, "status": 7, "capacity": -1}"#;
    assert_eq!(faults(body), ["/id", "/lon", "/timestamp"]);
}

#[test]
fn an_id_in_the_body_is_the_one_in_the_path() {
    fix(&with(r#""id": "d-1""#));
    fix(&with(r#""id": null"#));
    for wrong in ["\"d-2\"", "7", "true", "[]", "{}", "\"\"", "\"nearby\"", "\"D-1\""] {
        assert_eq!(faults(&with(&format!(r#""id": {wrong}"#))), ["/id"], "{wrong}");
    }
    assert_eq!(faults(&with(r#""id": "d-1", "id": "d-1""#)), ["/id"]);
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
