//! The memory that a body takes besides its own bytes.

use super::*;

const MIB: usize = 1_048_576;

/// A value of about `bytes` with as many parts as possible, in each form.
fn full_of_parts(bytes: usize) -> [String; 4] {
    let many = |element: &str| vec![element; bytes / (element.len() + 1)].join(",");
    let object = format!("{{{}}}", vec![r#""":0"#; 60].join(","));
    [
        format!("[{}]", many("0")),
        format!("[{}]", many(r#""""#)),
        format!("{{{}}}", many(r#""":{}"#)),
        // Objects of few members, nested.
        format!("{{{}}}", many(&format!(r#""":{object}"#))),
    ]
}

#[track_caller]
fn most_bytes<T>(body: &str, parse: impl FnOnce() -> T) -> u64 {
    let memory = allocation_counter::measure(|| drop(parse()));
    assert!(body.len() > MIB / 2, "{body:.40}");
    memory.bytes_max
}

#[test]
fn a_position_takes_no_memory_for_what_is_not_used() {
    for value in full_of_parts(2 * MIB) {
        for name in ["status", "attributes", "anything", "lat"] {
            let body = format!(r#"[{{"id": "d-1", "lon": 2, "{name}": {value}}}]"#);
            let most = most_bytes(&body, || parse_batch(body.as_bytes(), CLOCK));
            assert!(most < 256 * 1024, "{body:.60}: {most} bytes");
        }
        let body = format!(r#"{{"positions": [], "x": {value}}}"#);
        let most = most_bytes(&body, || parse_batch(body.as_bytes(), CLOCK));
        assert!(most < 256 * 1024, "{body:.60}: {most} bytes");
    }
}

#[test]
fn queries_and_profiles_take_no_memory_for_what_is_refused() {
    for value in full_of_parts(MIB) {
        for body in [
            format!(r#"{{"queries": {value}}}"#),
            format!(r#"{{"queries": [{{"lat": 1, "lon": 2, "status": {value}}}]}}"#),
            format!(r#"{{"queries": [{{"lat": 1, "lon": 2, "x": {value}}}]}}"#),
            format!(r#"{{"queries": [], "x": {value}}}"#),
        ] {
            let most = most_bytes(&body, || parse_queries(body.as_bytes()).unwrap_err());
            assert!(most < 64 * 1024, "{body:.60}: {most} bytes");
        }
        for name in ["status", "attributes", "anything"] {
            let body = format!(r#"{{"{name}": {value}}}"#);
            let most = most_bytes(&body, || parse_profile(body.as_bytes()).unwrap_err());
            assert!(most < 64 * 1024, "{body:.60}: {most} bytes");
        }
    }
}
