//! Batches in their three forms: a fault of one element does not affect the others.

use super::raw::MAX_BATCH;
use super::*;

const GOOD: &str = r#"{"id": "d-1", "lat": 1, "lon": 2}"#;

/// Returns which elements of a batch are valid.
fn taken(elements: &[Element]) -> Vec<bool> {
    elements.iter().map(Result::is_ok).collect()
}

fn json(body: &str) -> Vec<bool> {
    taken(&parse_batch(body.as_bytes(), CLOCK).unwrap().elements)
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
        "[]]",
        r#"{"positions": ["#,
        "[]{}",
        "[\"\u{1}]",
        "[NaN}",
        "{NaN]",
        "NaN",
        r#"{"positions": NaN}"#,
        r#"{"positions": [NaN}"#,
        r#"{"positions": [NaN] x}"#,
        r#"{"positions": [NaN]} x"#,
    ] {
        let parsed = parse_batch(body.as_bytes(), CLOCK);
        assert!(matches!(parsed, Err(BodyError::Malformed(_))), "{body}: {parsed:?}");
    }
    let twice = br#"{"positions": [NaN], "positions": []}"#;
    assert_eq!(pointers("twice", parse_batch(twice, CLOCK)), [""]);
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
        r#"{"id": "{}", "lat": 1, "lon": 2}"#,
        r#"{"id": "d-2", "lat": 1, "lon": 2, "timestamp": 5}"#,
        r#"{"id": "d-2", "id": "d-3", "lat": 1, "lon": 2}"#,
        // JSON by its grammar, but beyond the limits of the parser.
        r#"{"id": "d-2", "lat": 1e999, "lon": 2}"#,
        r#"{"id": "d-2", "lat": 1, "lon": 2, "time": -1e400}"#,
        "1e999",
        r#"{"id": "d-2\ud800", "lat": 1, "lon": 2}"#,
        r#""\udc00""#,
        // Not JSON by its grammar.
        "NaN",
        "\"\u{1}\"",
        r#"{"id": "d-2", "lat": 1, "lon": 2, "heading": NaN}"#,
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
fn a_rejection_has_the_reason() {
    let body = format!(r#"[7, {{"id": "d-2", "lat": 86, "speed": -2}}, {{"id": "d-3", "lat": 1e999}}, {GOOD}]"#);
    let elements = parse_batch(body.as_bytes(), CLOCK).unwrap().elements;
    let details: Vec<_> = elements
        .iter()
        .filter_map(|element| Some(element.as_ref().err()?.detail.as_str()))
        .collect();
    assert_eq!(details[0], "must be an object, not a number");
    assert!(details[1].contains("/lon: is required"), "{}", details[1]);
    assert!(!details[1].contains("speed"), "{}", details[1]);
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
    let elements = parse_ndjson(&lines.join(&b'\n'), CLOCK).unwrap().elements;
    let expected = [true, false, false, false, false, false, false, true, false, false];
    assert_eq!(taken(&elements), expected);
}

#[test]
fn lines_end_as_either_system_ends_them() {
    let elements = parse_ndjson(format!("{GOOD}\r\n\r\n{GOOD}\r\n").as_bytes(), CLOCK)
        .unwrap()
        .elements;
    assert_eq!(taken(&elements), [true, true]);
    assert!(parse_ndjson(b"", CLOCK).unwrap().elements.is_empty());
    assert!(parse_ndjson(b"\n\r\n \n", CLOCK).unwrap().elements.is_empty());
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(json(&format!("\u{feff}[{GOOD}]")), [true]);
    assert_eq!(
        json(&format!("\u{feff}{{\"positions\": [{GOOD}, NaN]}}")),
        [true, false]
    );
    assert!(parse("\u{feff}{\"lat\": 1, \"lon\": 2}".as_bytes()).is_ok());

    let lines = format!("\u{feff}{GOOD}\n\u{feff}\n\u{feff}{GOOD}\n{GOOD}");
    let elements = parse_ndjson(lines.as_bytes(), CLOCK).unwrap().elements;
    assert_eq!(taken(&elements), [true, true, true]);
}

#[test]
fn what_was_dropped_is_listed_with_its_element_and_counted() {
    let odd = |n: usize| format!(r#"{{"id": "d-{n}", "lat": 1, "lon": 2, "status": "", "speed": -2}}"#);
    let body = format!("[{GOOD},{},7,{}]", odd(1), odd(3));
    let batch = parse_batch(body.as_bytes(), CLOCK).unwrap();
    assert_eq!(taken(&batch.elements), [true, true, false, true]);
    let (listed, total) = batch.warnings.into_parts();
    let listed = serde_json::to_value(&listed).unwrap();
    let said: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| {
            (
                warning["index"].as_u64().unwrap(),
                warning["id"].as_str().unwrap(),
                warning["pointer"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (1, "d-1", "/speed_mps"),
            (1, "d-1", "/status"),
            (3, "d-3", "/speed_mps"),
            (3, "d-3", "/status")
        ]
    );
    assert_eq!(total, 4);

    let many: Vec<_> = (0..5_000).map(odd).collect();
    let (listed, total) = parse_batch(format!("[{}]", many.join(",")).as_bytes(), CLOCK)
        .unwrap()
        .warnings
        .into_parts();
    assert_eq!((listed.len(), total), (100, 10_000));
}

#[test]
fn ten_thousand_are_taken_and_one_more_is_too_many() {
    let most = vec![GOOD; MAX_BATCH];
    let more = vec![GOOD; MAX_BATCH + 1];
    assert_eq!(
        parse_batch(format!("[{}]", most.join(",")).as_bytes(), CLOCK)
            .unwrap()
            .elements
            .len(),
        MAX_BATCH
    );
    assert_eq!(
        parse_ndjson(most.join("\n").as_bytes(), CLOCK).unwrap().elements.len(),
        MAX_BATCH
    );
    for body in [
        format!("[{}]", more.join(",")),
        format!(r#"{{"positions": [{}]}}"#, more.join(",")),
        format!("[1e999,{}]", most.join(",")),
        format!("[NaN,{}]", most.join(",")),
        format!("[{}]", ",".repeat(MAX_BATCH)),
    ] {
        assert_eq!(parse_batch(body.as_bytes(), CLOCK), Err(BodyError::TooMany));
    }
    assert_eq!(parse_ndjson(more.join("\n").as_bytes(), CLOCK), Err(BodyError::TooMany));
    // Empty lines are not elements, however many.
    let empty = parse_ndjson("\n".repeat(100_000).as_bytes(), CLOCK).unwrap();
    assert!(empty.elements.is_empty());
}

#[test]
fn a_text_that_names_the_limit_is_not_taken_for_it() {
    let parsed = parse_batch(br#"{"more than 10000 positions": 1}"#, CLOCK);
    assert!(matches!(parsed, Err(BodyError::Unacceptable(_))), "{parsed:?}");
}
