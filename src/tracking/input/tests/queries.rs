//! `POST …/nearby`: all queries are valid, or none is answered.

use super::*;
use crate::http::MAX_FAULTS;

fn query_faults(body: &str) -> Vec<String> {
    pointers(body, parse_queries(body.as_bytes()))
}

fn one(members: &str) -> String {
    format!(r#"{{"queries": [{{"lat": 1, "lon": 2}}, {{{members}}}]}}"#)
}

#[test]
fn queries_are_read_with_their_defaults() {
    let body =
        one(r#""latitude": 1, "lng": 2, "status": "a", "vehicle_type": ["b", "c"], "max_age_s": 1.5, "limit": null"#);
    let queries = parse_queries(body.as_bytes()).unwrap();
    assert_eq!((queries[0].radius_m, queries[0].limit), (2_000.0, 10));
    assert_eq!(queries[1].filter.statuses, ["a"]);
    assert_eq!(queries[1].filter.vehicle_types, ["b", "c"]);
    assert_eq!(queries[1].filter.max_age_ms, Some(1_500));
    assert!(parse_queries(br#"{"queries": []}"#).unwrap().is_empty());
}

#[test]
fn longitudes_are_wrapped() {
    for (lon, wrapped) in [(361, 1.0), (-190, 170.0), (540, 180.0), (-180, -180.0)] {
        let queries = parse_queries(one(&format!(r#""lat": 1, "lon": {lon}"#)).as_bytes()).unwrap();
        assert_eq!(queries[1].center, Point::new(1.0, wrapped).unwrap(), "{lon}");
    }
}

#[test]
fn every_fault_is_named_with_its_query() {
    for (members, pointers) in [
        ("", &["/queries/1/lat", "/queries/1/lon"][..]),
        (r#""lat": null, "lon": 2"#, &["/queries/1/lat"]),
        (r#""lat": "1", "lon": 2"#, &["/queries/1/lat"]),
        (r#""latitude": "1", "lon": 2"#, &["/queries/1/lat"]),
        (r#""lat": 86, "lon": 2"#, &["/queries/1/lat"]),
        (r#""lat": 1, "lon": 541"#, &["/queries/1/lon"]),
        (r#""lat": 1, "lon": 2, "radius_m": -1"#, &["/queries/1/radius_m"]),
        (r#""lat": 1, "lon": 2, "radius_m": 200000.1"#, &["/queries/1/radius_m"]),
        (r#""lat": 1, "lon": 2, "limit": 0"#, &["/queries/1/limit"]),
        (r#""lat": 1, "lon": 2, "limit": 1001"#, &["/queries/1/limit"]),
        (r#""lat": 1, "lon": 2, "limit": 1.5"#, &["/queries/1/limit"]),
        (r#""lat": 1, "lon": 2, "limit": 1e300"#, &["/queries/1/limit"]),
        (r#""lat": 1, "lon": 2, "max_age_s": -1"#, &["/queries/1/max_age_s"]),
        (
            r#""lat": 1, "lon": 2, "min_capacity": -1"#,
            &["/queries/1/min_capacity"],
        ),
        (
            r#""lat": 1, "lon": 2, "min_capacity": "4""#,
            &["/queries/1/min_capacity"],
        ),
        (r#""lat": 1, "lon": 2, "status": 7"#, &["/queries/1/status"]),
        (
            r#""lat": 1, "lon": 2, "vehicle_type": ["a", 7]"#,
            &["/queries/1/vehicle_type"],
        ),
    ] {
        assert_eq!(query_faults(&one(members)), pointers, "{members}");
    }
    for not in ["null", "7", "[]", "\"x\""] {
        assert_eq!(query_faults(&format!(r#"{{"queries": [{not}]}}"#)), ["/queries/0"]);
    }
}

#[test]
fn a_member_given_twice_is_refused_here_too() {
    for (twice, pointer) in [
        (r#""lat": 1, "latitude": 1"#, "lat"),
        (r#""lat": null, "lat": 1"#, "lat"),
        (r#""lng": 1, "longitude": 1"#, "lon"),
        (r#""limit": 1, "limit": 2"#, "limit"),
        (r#""status": [], "status": "a""#, "status"),
        (r#""vehicle_type": "a", "vehicle_type": "b""#, "vehicle_type"),
    ] {
        let faults = query_faults(&one(twice));
        assert!(faults.contains(&format!("/queries/1/{pointer}")), "{twice}: {faults:?}");
    }
}

#[test]
fn an_unknown_member_is_refused_with_the_nearest_known_name() {
    let faults = |body: &str| details(&parse_queries(body.as_bytes()).unwrap_err());
    for (member, fault) in [
        ("statuses", "/queries/1/statuses: is unknown: did you mean `status`?"),
        (
            "vehicleType",
            "/queries/1/vehicleType: is unknown: did you mean `vehicle_type`?",
        ),
        ("radius", "/queries/1/radius: is unknown: did you mean `radius_m`?"),
        (
            "a/b",
            "/queries/1/a~1b: is unknown: known are `lat`, `lon`, `radius_m`, `limit`, `max_age_s`, `min_capacity`, `status`, `vehicle_type`",
        ),
    ] {
        assert_eq!(
            faults(&one(&format!(r#""lat": 1, "lon": 2, "{member}": null"#))),
            [fault]
        );
    }
    let outside = faults(r#"{"Queries": [], "queries": []}"#);
    assert_eq!(outside, ["/Queries: is unknown: did you mean `queries`?"]);
    assert_eq!(faults(r#"{"query": []}"#).len(), 2);
    let members: Vec<_> = (0..1_000).map(|n| format!(r#""x{n}":{n}"#)).collect();
    assert_eq!(faults(&format!("{{{}}}", members.join(","))).len(), MAX_FAULTS);
    assert_eq!(faults(&one(&members.join(","))).len(), MAX_FAULTS);
}

#[test]
fn a_body_of_another_form_is_refused() {
    for body in ["null", "7", "[]", "[[]]", r#"[[{"lat": 1, "lon": 2}]]"#] {
        assert_eq!(query_faults(body), [""], "{body}");
    }
    for body in [
        "{}",
        r#"{"queries": null}"#,
        r#"{"queries": {}}"#,
        r#"{"queries": [], "queries": []}"#,
    ] {
        assert_eq!(query_faults(body), ["/queries"], "{body}");
    }
    for body in ["", "{", r#"{"queries": [{"lat": 1e999}]}"#, r#"{"queries": [NaN]}"#] {
        assert!(is_unreadable(parse_queries(body.as_bytes())), "{body}");
    }
}

#[test]
fn there_are_limits_to_their_number_and_to_their_answers() {
    let many = |count: usize, limit: usize| {
        let query = format!(r#"{{"lat": 1, "lon": 2, "limit": {limit}}}"#);
        format!(r#"{{"queries": [{}]}}"#, vec![query; count].join(","))
    };
    assert_eq!(
        parse_queries(many(MAX_QUERIES, 50).as_bytes()).unwrap().len(),
        MAX_QUERIES
    );
    assert_eq!(query_faults(&many(MAX_QUERIES + 1, 1)), ["/queries"]);
    assert_eq!(query_faults(&many(MAX_QUERIES, 51)), ["/queries"]);
    let bad = format!(r#"{{"queries": [{}]}}"#, vec!["7"; 900].join(","));
    assert_eq!(query_faults(&bad).len(), 20);
}
