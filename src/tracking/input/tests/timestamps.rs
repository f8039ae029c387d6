//! Timestamps in every form that clients send, and invalid ones.

use super::*;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

fn at(timestamp: &str) -> i64 {
    fix(&with(&format!(r#""timestamp": {timestamp}"#))).timestamp_ms
}

/// The moment as RFC 3339, with this offset from UTC in seconds.
fn text(unix_ms: i64, east_s: i32) -> String {
    let moment: DateTime<Utc> = DateTime::from_timestamp_millis(unix_ms).unwrap();
    let zone = FixedOffset::east_opt(east_s).unwrap();
    format!(
        "\"{}\"",
        moment
            .with_timezone(&zone)
            .to_rfc3339_opts(SecondsFormat::Millis, false)
    )
}

#[test]
fn without_one_it_is_now() {
    assert_eq!(fix(r#"{"lat": 1, "lon": 2}"#).timestamp_ms, NOW);
    assert_eq!(at("null"), NOW);
}

#[test]
fn milliseconds_and_seconds_are_distinguished() {
    assert_eq!(at(&NOW.to_string()), NOW);
    assert_eq!(at(&format!("{NOW}.0")), NOW);
    assert_eq!(at("1.790000000123e12"), NOW);
    assert_eq!(at("1790000000"), 1_790_000_000_000);
    assert_eq!(at("1790000000.123"), NOW);
    assert_eq!(at("1790000000.1234"), NOW);
}

#[test]
fn rfc_3339_is_read_with_any_offset_and_fraction() {
    for east_s in [0, 3_600, -18_000, 19_800, 20_700, 50_400, -43_200] {
        assert_eq!(at(&text(NOW, east_s)), NOW, "{}", text(NOW, east_s));
    }
    let whole = NOW - NOW % 1_000;
    let plain = text(whole, 0).replace(".000+00:00", "");
    let plain = plain.trim_matches('"');
    for (tail, more_ms) in [("Z", 0), ("z", 0), (".1Z", 100), (".123456789Z", 123), ("-00:00", 0)] {
        assert_eq!(at(&format!("\"{plain}{tail}\"")), whole + more_ms, "{tail}");
    }
    assert_eq!(at(&format!("\"{}Z\"", plain.replace('T', " "))), whole);
}

#[test]
fn what_is_no_time_is_refused() {
    for wrong in [
        "2026-11-21",
        "2026-11-21T10:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T10:00:00+25:00",
        "21.11.2026 10:00",
        "yesterday",
        "",
        " ",
        "\\u0000",
        "2026-11-21T10:00:00ZZ",
        "２０２６-11-21T10:00:00Z",
    ] {
        assert_eq!(
            faults(&with(&format!(r#""timestamp": "{wrong}""#))),
            ["/timestamp"],
            "{wrong}"
        );
    }
    let long = "9".repeat(10_000);
    assert_eq!(faults(&with(&format!(r#""timestamp": "{long}""#))), ["/timestamp"]);
}

#[test]
fn it_may_be_a_minute_ahead_and_as_old_as_this_service() {
    assert_eq!(at(&(NOW + 60_000).to_string()), NOW + 60_000);
    // These are old enough to be answered as stale.
    for old in [NOW - 299_999, NOW - 300_000, NOW - 86_400_000, 1_000_000_000_000] {
        let report = report(&with(&format!(r#""timestamp": {old}"#)));
        assert_eq!(report.fix.timestamp_ms, old);
        assert_eq!(CLOCK.outdates(&report.fix), old <= NOW - 300_000, "{old}");
    }
    for off in [NOW + 60_001, NOW + 86_400_000, 999_999_999_999] {
        assert_eq!(faults(&with(&format!(r#""timestamp": {off}"#))), ["/timestamp"]);
        assert_eq!(
            faults(&with(&format!(r#""timestamp": {}"#, text(off, 3_600)))),
            ["/timestamp"]
        );
    }
}

#[test]
fn a_number_in_quotes_is_that_number() {
    assert_eq!(at(&format!("\"{NOW}\"")), NOW);
    assert_eq!(at("\"1790000000\""), 1_790_000_000_000);
    assert_eq!(at("\" 1790000000.123 \""), NOW);
}

#[test]
fn a_refusal_names_the_unit() {
    let detail_of = |timestamp: &str| match parse(with(&format!(r#""timestamp": {timestamp}"#)).as_bytes()) {
        Err(BodyError::Unacceptable(errors)) => errors[0].detail.clone(),
        other => panic!("{timestamp}: {other:?}"),
    };
    for (timestamp, word) in [
        ("5", "before 2001-09-09T01:46:40Z (read as seconds)"),
        ("-1.5", "before 2001-09-09T01:46:40Z (read as seconds)"),
        ("1790009999", "in the future (read as seconds)"),
        ("123456789012", "before 2001-09-09T01:46:40Z (read as milliseconds)"),
        ("1790009999999", "in the future (read as milliseconds)"),
        ("99999999999999", "in the future (read as milliseconds)"),
        ("1790000000123000", "in microseconds; send epoch milliseconds"),
        ("1790000000123000.5", "in microseconds; send epoch milliseconds"),
        ("\"1790000000123000\"", "in microseconds; send epoch milliseconds"),
        ("1790000000123000000", "in nanoseconds; send epoch milliseconds"),
        ("1.790000000123e18", "in nanoseconds; send epoch milliseconds"),
        ("1e300", "must be RFC 3339 with an offset, or epoch milliseconds"),
        ("\"1999-12-31T23:59:59Z\"", "before 2001-09-09T01:46:40Z; send"),
        ("\"2026-11-21T10:00:00\"", "must be RFC 3339 with an offset"),
    ] {
        let detail = detail_of(timestamp);
        assert!(detail.contains(word), "{timestamp}: {detail}");
    }
}

#[test]
fn numbers_of_any_size_are_refused_without_harm() {
    for far in [
        "0",
        "-0",
        "-1",
        "1",
        "99999999999",
        "-99999999999",
        "100000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e15",
        "1e16",
        "-1e300",
        "1.7976931348623157e308",
        "5e-324",
    ] {
        assert_eq!(
            faults(&with(&format!(r#""timestamp": {far}"#))),
            ["/timestamp"],
            "{far}"
        );
    }
    for far in [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
    ] {
        assert_eq!(
            faults(&with(&format!(r#""timestamp": "{far}""#))),
            ["/timestamp"],
            "{far}"
        );
    }
}
