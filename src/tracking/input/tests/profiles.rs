//! Profiles: words, capacity, attributes.

use super::*;
use crate::tracking::model::Scalar;
use crate::tracking::patch::Change;

fn profile_faults(body: &str) -> Vec<String> {
    pointers(body, parse_profile(body.as_bytes()))
}

#[test]
fn null_removes_in_a_profile_and_is_ignored_in_a_fix() {
    let body = r#"{"status": null, "capacity": 4, "attributes": {"wifi": null, "seats": 2, "pets": true}}"#;
    let patch = parse_profile(body.as_bytes()).unwrap();
    assert_eq!((&patch.status, &patch.capacity), (&Change::Remove, &Change::Set(4)));
    assert_eq!(patch.vehicle_type, Change::Keep);
    let expected = [
        ("wifi".into(), None),
        ("seats".into(), Some(Scalar::Number(2.into()))),
        ("pets".into(), Some(Scalar::Bool(true))),
    ];
    assert_eq!(patch.attributes, expected);
    assert_eq!(report(&with(r#""status": null"#)).patch, None);
}

#[test]
fn an_unknown_member_or_one_that_is_given_twice_is_refused() {
    for (body, fault) in [
        (
            r#"{"vehicleType": "van"}"#,
            "/vehicleType: is unknown: did you mean `vehicle_type`?",
        ),
        (
            r#"{"Status": "busy", "capacity": 1}"#,
            "/Status: is unknown: did you mean `status`?",
        ),
        (
            r#"{"seats": 4}"#,
            "/seats: is unknown: known are `status`, `vehicle_type`, `capacity`, `attributes`",
        ),
        (r#"{"status": null, "status": "busy"}"#, "/status: is given twice"),
    ] {
        assert_eq!(details(&parse_profile(body.as_bytes()).unwrap_err()), [fault]);
    }
}

#[test]
fn words_have_a_length_and_no_control_characters() {
    for name in ["status", "vehicle_type"] {
        for wrong in ["", "a\\u0000", "a\\nb", "\\u007f", &"x".repeat(257), &"é".repeat(129)] {
            assert_eq!(
                profile_faults(&format!(r#"{{"{name}": "{wrong}"}}"#)),
                [format!("/{name}")],
                "{wrong}"
            );
        }
        for wrong in ["1", "true", "[]", "[\"a\"]", "{}"] {
            assert_eq!(
                profile_faults(&format!(r#"{{"{name}": {wrong}}}"#)),
                [format!("/{name}")],
                "{wrong}"
            );
        }
        assert!(parse_profile(format!(r#"{{"{name}": "{}"}}"#, "x".repeat(256)).as_bytes()).is_ok());
    }
}

#[test]
fn capacity_is_a_whole_number_up_to_a_million() {
    for taken in ["0", "1000000"] {
        assert!(parse_profile(format!(r#"{{"capacity": {taken}}}"#).as_bytes()).is_ok());
    }
    for wrong in [
        "-1",
        "1000001",
        "1.5",
        "4294967300",
        "1e3",
        "\"4\"",
        "18446744073709551616",
    ] {
        assert_eq!(
            profile_faults(&format!(r#"{{"capacity": {wrong}}}"#)),
            ["/capacity"],
            "{wrong}"
        );
    }
}

#[test]
fn attributes_are_flat_few_and_named_once() {
    for (attributes, pointer) in [
        (r#"{"a": {"b": 1}}"#, "/attributes/a"),
        (r#"{"a": []}"#, "/attributes/a"),
        (r#"{"a": ["x"]}"#, "/attributes/a"),
        (r#"{"a/b~c": []}"#, "/attributes/a~1b~0c"),
        (r#"{"a": 1, "a": 2}"#, "/attributes/a"),
        (r#"{"": 1}"#, "/attributes"),
        (r#"{"a\n": 1}"#, "/attributes"),
        ("[]", "/attributes"),
        ("7", "/attributes"),
    ] {
        assert_eq!(
            profile_faults(&format!(r#"{{"attributes": {attributes}}}"#)),
            [pointer],
            "{attributes}"
        );
    }
    let long = format!(r#"{{"attributes": {{"{}": 1}}}}"#, "n".repeat(65));
    assert_eq!(profile_faults(&long), ["/attributes"]);
    let long = format!(r#"{{"attributes": {{"a": "{}"}}}}"#, "x".repeat(257));
    assert_eq!(profile_faults(&long), ["/attributes/a"]);
    let many = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!(r#""a{n}": {n}"#)).collect();
        format!(r#"{{"attributes": {{{}}}}}"#, members.join(","))
    };
    assert!(parse_profile(many(32).as_bytes()).is_ok());
    assert_eq!(profile_faults(&many(33)), ["/attributes"]);
}
