//! Elements that are not JSON, between valid ones.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Generates text that is not a string and contains no brackets, quotes or commas.
fn bare() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("balanced", |byte| !b"[]{}\",".contains(byte)),
        0..12,
    )
}

/// Generates a string with arbitrary content.
fn quoted_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..12).prop_map(|bytes| {
        let mut text = vec![b'"'];
        for byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(byte);
        }
        text.push(b'"');
        text
    })
}

/// Generates text with balanced brackets and quotes and without a comma outside of them.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![bare(), quoted_bytes()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = vec(inner, 0..4).prop_map(|parts| parts.join(&b','));
        prop_oneof![
            list.clone().prop_map(|list| [b"[", &list[..], b"]"].concat()),
            list.clone().prop_map(|list| [b"{", &list[..], b"}"].concat()),
            list.prop_map(|list| [b"x {", &list[..], b"} y"].concat()),
        ]
    })
}

fn good(n: usize) -> Vec<u8> {
    format!(r#" {{"id": "good-{n}", "lat": 1, "lon": 2, "attributes": {{"say": "a, \"b\" ]}}"}}}} "#).into_bytes()
}

/// Returns the ids of the accepted elements of a batch that begin with `good`.
fn taken(batch: &Batch) -> Vec<String> {
    let ids = batch.elements.iter().flatten().map(|(id, _)| id.to_string());
    ids.filter(|id| id.starts_with("good")).collect()
}

proptest! {
    #[test]
    fn the_good_ones_are_taken_among_any_garbage_that_is_balanced(
        garbage in vec((any::<Index>(), garbage()), 1..6),
        count in 1..6_usize,
        is_named in any::<bool>(),
    ) {
        let mut elements: Vec<Vec<u8>> = (0..count).map(good).collect();
        for (at, garbage) in garbage {
            elements.insert(at.index(elements.len() + 1), garbage);
        }
        let array = [b"[", &elements.join(&b',')[..], b"]"].concat();
        let body = if is_named { [b"{\"x\": NaN, \"positions\": ", &array[..], b"}"].concat() } else { array };
        let batch = parse_batch(&body, CLOCK).unwrap();
        prop_assert_eq!(batch.elements.len(), elements.len());
        let expected: Vec<String> = (0..count).map(|n| format!("good-{n}")).collect();
        prop_assert_eq!(taken(&batch), expected);
        for rejection in batch.elements.iter().filter_map(|element| element.as_ref().err()) {
            prop_assert!(!rejection.detail.is_empty());
        }
    }

    #[test]
    fn truncated_and_damaged_bytes_cause_no_panic(
        elements in vec(prop_oneof![garbage(), (0..9_usize).prop_map(good)], 0..5),
        cut in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = [b"[", &elements.join(&b',')[..], b"]"].concat();
        let at = cut.index(body.len());
        let _ = parse_batch(&body[..at], CLOCK);
        body[at] = byte;
        let _ = parse_batch(&body, CLOCK);
        let _ = parse_ndjson(&body, CLOCK);
    }
}

#[test]
fn an_element_that_is_not_json_is_rejected_with_its_index_and_id() {
    for bad in [
        &br#"{"id": "bad", "lat": 1, "lon": 1, "heading": NaN}"#[..],
        br#"{"id": "bad", "lat": 1, "lon": 1, "heading": -Infinity}"#,
        b"{\"id\": \"bad\", \"lat\": 1, \"lon\": 1, \"status\": \"\xfc\"}",
        b"{\"id\": \"bad\", \"lat\": 1, \"lon\": 1, \"status\": \"a\nb\"}",
        br#"{"id": "bad", "lat": 1, "lon": 1, }"#,
        br#"{"id": "bad", "lat": 1, "lon": 1, "status": "\x"}"#,
        br#"{"id": "bad", "lat": 01, "lon": 1}"#,
        br#"{"id": "bad", "lat": 1 "lon": 1}"#,
        br#"{"id": "bad", 'lat': 1, "lon": 1}"#,
        br#"{"id": "bad", "lat": 1, "lon": 1} {}"#,
        br#"{"x": [1, {"id": "other"}], "i\u0064": "bad", "lat": NaN}"#,
        br#"{"id": "bad", "lat": 1e999, "lon": 1}"#,
        br#"{"id": "bad", "lat": 1, "lon": 1, "tst": 1e999}"#,
    ] {
        let array = [b"[", &good(0)[..], b",", bad, b",", &good(2)[..], b"]"].concat();
        let named = [b"{\"positions\" : ", &array[..], b" , \"x\": 1}"].concat();
        for body in [&array, &named] {
            let batch = parse_batch(body, CLOCK).unwrap();
            assert_eq!(taken(&batch), ["good-0", "good-2"], "{}", body.escape_ascii());
            let rejection = batch.elements[1].as_ref().unwrap_err();
            assert_eq!(rejection.id.as_deref(), Some("bad"), "{}", body.escape_ascii());
        }
        if !bad.contains(&b'\n') {
            let lines = [&good(0)[..], b"\n", bad, b"\n", &good(2)[..]].concat();
            let batch = parse_ndjson(&lines, CLOCK).unwrap();
            assert_eq!(taken(&batch), ["good-0", "good-2"]);
            let rejection = batch.elements[1].as_ref().unwrap_err();
            assert_eq!(rejection.id.as_deref(), Some("bad"), "{}", bad.escape_ascii());
        }
    }
}

#[test]
fn what_is_json_and_decides_nothing_costs_no_place() {
    for member in [
        r#""heading": 1e999"#,
        r#""status": "\ud83d""#,
        r#""\ud83d": 1"#,
        r#""x": "\udc00""#,
    ] {
        let body = format!(r#"[{{"id": "good-1", "lat": 1, "lon": 1, {member}}}]"#);
        let batch = parse_batch(body.as_bytes(), CLOCK).unwrap();
        assert_eq!(taken(&batch), ["good-1"], "{body}");
    }
}

#[test]
fn a_comma_too_many_is_an_empty_element() {
    for (elements, expected) in [
        ("{0},", &[true, false][..]),
        (",{0}", &[false, true]),
        ("{0},,{0}", &[true, false, true]),
        (",", &[false, false]),
    ] {
        let body = format!("[{}]", elements.replace("{0}", r#"{"id": "a", "lat": 1, "lon": 2}"#));
        let batch = parse_batch(body.as_bytes(), CLOCK).unwrap();
        let taken: Vec<bool> = batch.elements.iter().map(Result::is_ok).collect();
        assert_eq!(taken, expected, "{body}");
    }
}

#[test]
fn a_body_of_one_long_fault_is_read_through_a_few_times_and_no_more() {
    const SIZE: usize = 1 << 19;
    for part in [
        "[",
        "]",
        "{",
        "\"",
        ",",
        "\\",
        "[\"",
        "{\"positions\":",
        "\"id\":",
        "\"\\\"",
        "[1,",
        "}{",
        "a",
    ] {
        for open in ["", "[", "[NaN,", "{\"positions\":[", "{\"x\":NaN,"] {
            let body = open.to_owned() + &part.repeat(SIZE / part.len());
            assert!(parse_batch(body.as_bytes(), CLOCK).is_err(), "{open} {part}");
            let closed = format!("{body}]");
            let _ = parse_batch(closed.as_bytes(), CLOCK);
        }
    }
}
