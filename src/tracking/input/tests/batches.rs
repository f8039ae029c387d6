//! Batches in their three forms: one element's fault is that element's alone.

use super::*;

const GOOD: &str = r#"{"id": "d-1", "lat": 1, "lon": 2}"#;

/// Which of a batch's elements are good.
fn taken(elements: &[Element]) -> Vec<bool> {
    elements.iter().map(Result::is_ok).collect()
}

fn json(body: &str) -> Vec<bool> {
    taken(&parse_batch(body.as_bytes(), CLOCK).unwrap())
}

#[test]
fn both_json_forms_are_read() {
    assert_eq!(json(&format!("[{GOOD}, {GOOD}]")), [true, true]);
    assert_eq!(json(&format!(r#"{{"positions": [{GOOD}]}}"#)), [true]);
    assert_eq!(
        json(&format!(
            r#"{{"sent_by": ["app", 7], "positions": [{GOOD}], "x": null}}"#
        )),
        [true]
    );
    assert!(json("[]").is_empty());
    assert!(json(r#"{"positions": []}"#).is_empty());
}

#[test]
fn what_is_neither_form_is_refused_as_a_whole() {
    for body in [
        "null",
        "1",
        "\"x\"",
        "{}",
        GOOD,
        r#"{"positions": null}"#,
        r#"{"positions": {}}"#,
        r#"{"positions": "x"}"#,
        r#"{"positions": {"positions": []}}"#,
        r#"{"positions": [], "positions": []}"#,
    ] {
        assert_eq!(pointers(body, parse_batch(body.as_bytes(), CLOCK)), [""], "{body}");
    }
    for body in [
        "",
        "[",
        "[{}",
        "[{},]",
        "[]]",
        r#"{"positions": ["#,
        r#"[{"lat": NaN}]"#,
        "[]{}",
        "[\"\u{1}\"]",
    ] {
        let parsed = parse_batch(body.as_bytes(), CLOCK);
        assert!(matches!(parsed, Err(BodyError::Malformed(_))), "{body}: {parsed:?}");
    }
    assert!(matches!(
        parse_batch(b"[\"\xff\"]", CLOCK),
        Err(BodyError::Malformed(_))
    ));
}

#[test]
fn one_bad_element_never_harms_the_others() {
    for bad in [
        "null",
        "true",
        "7",
        "-7",
        "1.5",
        "\"x\"",
        "[]",
        "[[{}]]",
        "{}",
        r#"{"id": "d-2"}"#,
        r#"{"lat": 1, "lon": 2}"#,
        r#"{"id": "d-2", "lat": 86, "lon": 2}"#,
        r#"{"id": "d-2", "lat": "1", "lon": 2}"#,
        r#"{"id": "d-2", "lat": 1, "lon": 2, "lng": 2}"#,
        r#"{"id": "{}", "lat": 1, "lon": 2}"#,
        r#"{"id": "d-2", "lat": 1, "lon": 2, "timestamp": 5}"#,
        r#"{"id": "d-2", "id": "d-3", "lat": 1, "lon": 2}"#,
        // JSON by its grammar, and more than the parser holds.
        r#"{"id": "d-2", "lat": 1e999, "lon": 2}"#,
        r#"{"id": "d-2", "lat": 1, "lon": 2, "x": -1e400}"#,
        "1e999",
        r#"{"id": "d-2", "lat": 1, "lon": 2, "status": "\ud800"}"#,
        r#""\udc00""#,
    ] {
        for body in [
            format!("[{GOOD},{bad},{GOOD}]"),
            format!(r#"{{"positions":[{GOOD},{bad},{GOOD}]}}"#),
        ] {
            assert_eq!(json(&body), [true, false, true], "{body}");
        }
    }
}

#[test]
fn a_rejection_says_what_is_wrong() {
    let body = format!(r#"[7, {{"id": "d-2", "lat": 86, "speed": -1}}, {{"id": "d-3", "lat": 1e999}}, {GOOD}]"#);
    let elements = parse_batch(body.as_bytes(), CLOCK).unwrap();
    let details: Vec<_> = elements
        .iter()
        .filter_map(|element| Some(element.as_ref().err()?.detail.as_str()))
        .collect();
    assert_eq!(details[0], "must be an object, not a number");
    assert!(details[1].contains("/lon: is required") && details[1].contains("/speed_mps: "));
    assert!(details[2].contains("out of range"), "{}", details[2]);
}

#[test]
fn broken_lines_are_rejected_one_by_one() {
    let lines = [
        GOOD.as_bytes(),
        b"",
        b"  \t ",
        b"{",
        b"\xff\xfe",
        b"not json",
        b"{\"id\": \"d-2\", \"lat\": NaN, \"lon\": 2}",
        b"[]",
        b"{} {}",
        GOOD.as_bytes(),
        b"{\"id\": \"d-2\", \"lat\": 1e999, \"lon\": 2}",
        b"\x00",
    ];
    let elements = parse_ndjson(&lines.join(&b'\n'), CLOCK).unwrap();
    let expected = [true, false, false, false, false, false, false, true, false, false];
    assert_eq!(taken(&elements), expected);
}

#[test]
fn lines_end_as_either_system_ends_them() {
    let elements = parse_ndjson(format!("{GOOD}\r\n\r\n{GOOD}\r\n").as_bytes(), CLOCK).unwrap();
    assert_eq!(taken(&elements), [true, true]);
    assert!(parse_ndjson(b"", CLOCK).unwrap().is_empty());
    assert!(parse_ndjson(b"\n\r\n \n", CLOCK).unwrap().is_empty());
}

#[test]
fn ten_thousand_are_taken_and_one_more_is_too_many() {
    let most = vec![GOOD; MAX_BATCH];
    let more = vec![GOOD; MAX_BATCH + 1];
    assert_eq!(
        parse_batch(format!("[{}]", most.join(",")).as_bytes(), CLOCK)
            .unwrap()
            .len(),
        MAX_BATCH
    );
    assert_eq!(
        parse_ndjson(most.join("\n").as_bytes(), CLOCK).unwrap().len(),
        MAX_BATCH
    );
    for body in [
        format!("[{}]", more.join(",")),
        format!(r#"{{"positions": [{}]}}"#, more.join(",")),
        format!("[1e999,{}]", most.join(",")),
    ] {
        assert_eq!(parse_batch(body.as_bytes(), CLOCK), Err(BodyError::TooMany));
    }
    assert_eq!(parse_ndjson(more.join("\n").as_bytes(), CLOCK), Err(BodyError::TooMany));
    // Empty lines are no elements, however many.
    assert_eq!(parse_ndjson("\n".repeat(100_000).as_bytes(), CLOCK), Ok(Vec::new()));
}

#[test]
fn a_text_that_names_the_limit_is_not_taken_for_it() {
    let parsed = parse_batch(br#"{"more than 10000 positions": 1}"#, CLOCK);
    assert!(matches!(parsed, Err(BodyError::Unacceptable(_))), "{parsed:?}");
}
