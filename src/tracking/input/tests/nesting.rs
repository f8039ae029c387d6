//! Depth: an error of the parser, never of the stack. A thread of an HTTP worker has a stack of 2 MiB, as the thread of a test.

use super::*;

const DEPTH: usize = 10_000;

/// Values nested ten thousand deep, closed and left open.
fn deep() -> [String; 4] {
    let arrays = "[".repeat(DEPTH);
    let objects = "{\"a\":".repeat(DEPTH);
    [
        format!("{arrays}{}", "]".repeat(DEPTH)),
        format!("{objects}1{}", "}".repeat(DEPTH)),
        arrays,
        objects,
    ]
}

#[test]
fn a_deep_body_is_malformed() {
    for deep in deep() {
        // A complete object has only an unknown member, so its coordinates are missing.
        if deep.ends_with('}') {
            assert_eq!(faults(&deep), ["/lat", "/lon"]);
        } else {
            assert!(is_malformed(&deep));
        }
        assert!(is_unreadable(parse_profile(deep.as_bytes())));
        assert!(parse_queries(deep.as_bytes()).is_err());
    }
}

#[test]
fn a_deep_member_is_malformed_but_in_a_position_where_it_decides_nothing() {
    for deep in deep() {
        for name in ["lat", "timestamp", "attributes", "status", "id", "anything"] {
            let body = with(&format!(r#""{name}": {deep}"#));
            let (decides, ends) = (["lat", "timestamp", "id"].contains(&name), !deep.ends_with(['[', ':']));
            assert_eq!(is_malformed(&body), decides || !ends, "{name}");
            assert!(is_unreadable(parse_profile(body.as_bytes())), "{name}");
            let body = format!(r#"{{"queries": [], "{name}": {deep}}}"#);
            assert!(is_unreadable(parse_queries(body.as_bytes())), "{name}");
        }
        let body = format!(r#"{{"queries": [{{"lat": 1, "lon": 2, "x": {deep}}}]}}"#);
        assert!(is_unreadable(parse_queries(body.as_bytes())));
    }
}

#[test]
fn a_deep_element_does_not_harm_the_others() {
    let good = r#"{"id": "d-1", "lat": 1, "lon": 2}"#;
    for deep in deep().iter().take(2) {
        for bad in [deep.clone(), format!(r#"{{"id": "d-2", "lon": 2, "lat": {deep}}}"#)] {
            for body in [
                format!("[{good}, {bad}, {good}]"),
                format!(r#"{{"positions": [{good}, {bad}, {good}]}}"#),
            ] {
                let elements = parse_batch(body.as_bytes(), CLOCK).unwrap().elements;
                let taken: Vec<_> = elements.iter().map(Result::is_ok).collect();
                assert_eq!(taken, [true, false, true]);
            }
            let elements = parse_ndjson(format!("{good}\n{bad}\n{good}").as_bytes(), CLOCK)
                .unwrap()
                .elements;
            assert_eq!(elements.iter().filter(|element| element.is_ok()).count(), 2);
        }
    }
}

#[test]
fn a_batch_may_be_deep_beside_its_elements() {
    let [arrays, objects, open_arrays, open_objects] = deep();
    let good = r#"{"id": "d-1", "lat": 1, "lon": 2}"#;
    for deep in [arrays, objects] {
        let body = format!(r#"{{"x": {deep}, "positions": [{good}]}}"#);
        let elements = parse_batch(body.as_bytes(), CLOCK).unwrap().elements;
        assert!(elements[0].is_ok());
    }
    for deep in [open_arrays, open_objects] {
        let body = format!(r#"{{"x": {deep}, "positions": [{good}]}}"#);
        assert!(matches!(
            parse_batch(body.as_bytes(), CLOCK),
            Err(BodyError::Malformed(_))
        ));
    }
}
