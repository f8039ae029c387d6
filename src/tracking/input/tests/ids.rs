//! Ids of a batch's elements; those in paths pass through the same `Id::parse`.

use super::*;

fn element_with(id: &str) -> Element {
    let body = format!(r#"[{{"id": {id}, "lat": 1, "lon": 2}}]"#);
    parse_batch(body.as_bytes(), CLOCK).unwrap().elements.remove(0)
}

#[test]
fn ids_of_the_alphabet_are_taken() {
    for id in [
        "d-1",
        "A.b_C:d@e-9",
        "-",
        "...",
        "Nearby",
        "0",
        "x".repeat(128).as_str(),
    ] {
        let (taken, _) = element_with(&format!("\"{id}\"")).unwrap();
        assert_eq!(taken.as_str(), id);
    }
    assert_eq!(element_with(r#""d\u002d1""#).unwrap().0.as_str(), "d-1");
}

#[test]
fn every_other_id_is_refused_and_not_repeated() {
    let long = format!("\"{}\"", "x".repeat(10_000));
    for id in [
        "\"\"",
        "\" \"",
        "\"a b\"",
        "\"{a}\"",
        "\"}\"",
        "\"a\\u0000\"",
        "\"a\\n\"",
        "\"\\u001b[2J\"",
        "\"a\\u007f\"",
        "\"é\"",
        "\"司机\"",
        "\"🚕\"",
        "\"a/b\"",
        "\"a%7Bb\"",
        "\"a*\"",
        "\"a?\"",
        "\"\\u200b\"",
        "\"x\\\"\"",
        "\".\"",
        "\"..\"",
        "\"nearby\"",
        "\"within\"",
        "\"positions\"",
        "\"stream\"",
        "\"density\"",
        &long,
        "1",
        "1.5",
        "true",
        "null",
        "[]",
        "[\"a\"]",
        "{}",
    ] {
        let rejection = element_with(id).unwrap_err();
        assert_eq!(rejection.id, None, "{id}");
        assert!(rejection.detail.starts_with("/id: "), "{id}: {}", rejection.detail);
        assert!(rejection.detail.len() < 150, "{}", rejection.detail);
    }
}

#[test]
fn a_valid_id_is_returned_with_the_faults_of_its_element() {
    let elements = parse_batch(br#"[{"id": "d-1", "lat": 91, "lon": 2}]"#, CLOCK)
        .unwrap()
        .elements;
    let rejection = elements[0].as_ref().unwrap_err();
    assert_eq!(rejection.id.as_ref().map(Id::as_str), Some("d-1"));
    assert!(rejection.detail.starts_with("/lat: "), "{}", rejection.detail);
}
