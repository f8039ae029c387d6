//! Members other than id, place and time: they never cause a position to be refused.

use super::*;
use crate::tracking::model::Scalar;
use crate::tracking::patch::Change;

#[test]
fn a_member_of_a_wrong_type_is_dropped_without_the_others() {
    for wrong in [
        "true",
        "[]",
        "[1]",
        "{}",
        "{\"a\": 1}",
        "\"\"",
        "\"fast\"",
        "1e999",
        "\"\\ud83d\"",
    ] {
        for name in ["accuracy_m", "altitude_m", "speed_mps", "heading_deg", "capacity"] {
            assert_eq!(
                dropped(&with(&format!(r#""{name}": {wrong}"#))),
                [format!("/{name}")],
                "{wrong}"
            );
        }
    }
    for wrong in [
        "\"\"",
        "7",
        "true",
        "[]",
        "{}",
        "\"a\\nb\"",
        "\"\\ud83d\"",
        &format!("\"{}\"", "x".repeat(257)),
    ] {
        for name in ["status", "vehicle_type"] {
            assert_eq!(
                dropped(&with(&format!(r#""{name}": {wrong}"#))),
                [format!("/{name}")],
                "{wrong}"
            );
        }
    }
    for wrong in ["\"\"", "7", "true", "[]"] {
        assert_eq!(
            dropped(&with(&format!(r#""attributes": {wrong}"#))),
            ["/attributes"],
            "{wrong}"
        );
    }
}

#[test]
fn what_is_beside_a_dropped_member_is_taken() {
    let report = report(&with(
        r#""speed": "fast", "heading": 90, "status": "", "capacity": 4, "attributes": {"battery": {"level": 0.5}, "wifi": true}"#,
    ));
    assert_eq!((report.fix.speed_mps, report.fix.heading_deg), (None, Some(90.0)));
    let patch = report.patch.unwrap();
    assert_eq!((patch.status, patch.capacity), (Change::Keep, Change::Set(4)));
    assert_eq!(patch.attributes, [("wifi".into(), Some(Scalar::Bool(true)))]);
    let pointers: Vec<_> = report.warnings.iter().map(|warning| &*warning.pointer).collect();
    assert_eq!(pointers, ["/speed_mps", "/status", "/attributes/battery"]);
    assert!(report.warnings.iter().all(|warning| !warning.detail.is_empty()));
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    for four in ["4", "4.0", "4e0", "\"4\"", "\"4.0\""] {
        let patch = report(&with(&format!(r#""capacity": {four}"#))).patch.unwrap();
        assert_eq!(patch.capacity, Change::Set(4), "{four}");
    }
    for wrong in ["4.5", "-1", "1000001", "1e300", "\"four\"", "18446744073709551616"] {
        assert_eq!(
            dropped(&with(&format!(r#""capacity": {wrong}"#))),
            ["/capacity"],
            "{wrong}"
        );
    }
}

#[test]
fn of_more_attributes_than_a_profile_has_the_first_are_taken() {
    for count in [33, 64, 65, 400] {
        let members: Vec<_> = (0..count).map(|n| format!(r#""a{n}": {n}"#)).collect();
        let report = report(&with(&format!(r#""attributes": {{{}}}"#, members.join(","))));
        let attributes = report.patch.unwrap().attributes;
        assert_eq!((attributes.len(), &*attributes[31].0), (32, "a31"));
        assert_eq!(report.warnings.len(), 1);
        assert_eq!(report.warnings[0].pointer, "/attributes");
    }
    // Invalid attributes do not count towards the limit.
    let members: Vec<_> = (0..20)
        .map(|n| format!(r#""a{n}": null, "b{n}": {n}, "c{n}": []"#))
        .collect();
    let report = report(&with(&format!(r#""attributes": {{{}}}"#, members.join(","))));
    assert_eq!(report.patch.unwrap().attributes.len(), 20);
    assert_eq!(report.warnings.len(), 21);
}

#[test]
fn an_attribute_given_twice_is_taken_once() {
    let report = report(&with(r#""attributes": {"a": 1, "a": 2, "b/~": 3, "b/~": 4}"#));
    let expected = [
        ("a".into(), Some(Scalar::Number(1.into()))),
        ("b/~".into(), Some(Scalar::Number(3.into()))),
    ];
    assert_eq!(report.patch.unwrap().attributes, expected);
    let pointers: Vec<_> = report.warnings.iter().map(|warning| &*warning.pointer).collect();
    assert_eq!(pointers, ["/attributes/a", "/attributes/b~1~0"]);
}

#[test]
fn warnings_are_few_and_short() {
    let members: Vec<_> = (0..300)
        .map(|n| format!(r#""{n}{}": []"#, "\\u0041/~".repeat(30)))
        .collect();
    let report = report(&with(&format!(
        r#""speed": [], "speed": [], "status": "", "attributes": {{{}}}"#,
        members.join(",")
    )));
    assert!(report.warnings.len() <= 32);
    let bytes: usize = report
        .warnings
        .iter()
        .map(|warning| warning.pointer.len() + warning.detail.len())
        .sum();
    assert!(bytes < 10_000, "{bytes}");
}
