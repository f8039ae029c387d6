//! How much of a body is kept, and how much is answered.

use super::super::MAX_FAULTS;
use super::*;

#[test]
fn there_is_a_limit_to_the_faults_that_are_collected() {
    let members: Vec<_> = (0..1_000).map(|n| format!(r#""x{n}":{n}"#)).collect();
    let problem = read(&format!("{{{}}}", members.join(","))).unwrap_err();
    let body = serde_json::to_value(&problem).unwrap();
    assert_eq!(body["errors"].as_array().unwrap().len(), MAX_FAULTS);
}

#[test]
fn an_object_has_a_limit_of_members() {
    let members = |count: usize| {
        (0..count)
            .map(|n| format!(r#""x{n}":{n}"#))
            .collect::<Vec<_>>()
            .join(",")
    };
    let faults = |body: String| Fields::parse(body.as_bytes()).unwrap().faults(Some(())).unwrap_err();
    assert_eq!(
        faults(format!("{{{}}}", members(100_000)))[0].detail,
        "must have at most 64 members"
    );
    assert_eq!(
        faults(format!("{{{}}}", members(64)))[0].detail,
        "is unknown: none is known here"
    );
}

#[test]
fn a_large_body_takes_no_memory_for_what_is_refused() {
    let many = |element: &str| vec![element; 8 * 1_048_576 / (element.len() + 1)].join(",");
    let names: Vec<_> = (0..600_000).map(|n| format!(r#""x{n}":{n}"#)).collect();
    for body in [
        format!(r#"{{"quantity":3,"x":[{}]}}"#, many("0")),
        format!(r#"{{"quantity":3,"x":{{"y":[{}]}}}}"#, many("[]")),
        format!(r#"{{"quantity":3,"items":[{}]}}"#, many("{}")),
        format!(r#"{{"quantity":3,"owner":[{}]}}"#, many(r#""""#)),
        format!(r#"{{"quantity":3,"owner":{{{}}}}}"#, names.join(",")),
        format!(r#"{{"quantity":3,{}}}"#, names.join(",")),
    ] {
        let mut refused = None;
        let memory = allocation_counter::measure(|| refused = Some(read(&body).unwrap_err()));
        assert!(refused.unwrap().to_string().starts_with("422"), "{body:.40}");
        assert!(memory.bytes_max < 65_536, "{body:.40}: {} bytes", memory.bytes_max);
    }
}
