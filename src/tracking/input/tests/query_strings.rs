//! Query strings: 400 for what cannot be read, 422 for what is out of range.

use super::*;

fn nearby(query: &str) -> (u64, Vec<String>) {
    told(&parse_nearby(query).expect_err(query))
}

fn within(query: &str) -> (u64, Vec<String>) {
    told(&parse_within(query).expect_err(query))
}

#[test]
fn every_parameter_is_read() {
    let (query, source) = parse_nearby(
        "lat=1.5&lon=-2&radius_m=200000&limit=1000&max_age_s=0.5&min_capacity=4&status=a&status=b%20c&vehicle_type=d&source=redis",
    )
    .unwrap();
    assert_eq!(query.center, Point::new(1.5, -2.0).unwrap());
    assert_eq!((query.radius_m, query.limit, source), (200_000.0, 1_000, Source::Redis));
    assert_eq!(query.filter.statuses, ["a", "b c"]);
    assert_eq!(
        (query.filter.max_age_ms, query.filter.min_capacity),
        (Some(500), Some(4))
    );
    let (query, source) = parse_nearby("lat=0&lon=0").unwrap();
    assert_eq!((query.radius_m, query.limit, source), (2_000.0, 10, Source::Live));
    assert!(parse_nearby("lat=0&lon=180&radius_m=0&limit=1").is_ok());
    // An empty pair is none.
    assert!(parse_nearby("lat=0&lon=0&").is_ok());
}

#[test]
fn what_is_unknown_missing_given_twice_or_no_number_is_malformed() {
    for query in [
        "",
        "lat=1",
        "lon=1",
        "lat=&lon=1",
        "lat=1&lon=x",
        "lat=1,5&lon=1",
        "lat=1&lon=1&limit=x",
        "lat=1&lon=1&limit=1.5",
        "lat=1&lon=1&limit=-1",
        "lat=1&lon=1&limit=99999999999999999999999",
        "lat=1&lon=1&radius_m=",
        "lat=1&lon=1&radius_m=2km",
        "lat=1&lon=1&min_capacity=-1",
        "lat=1&lon=1&max_age_s=soon",
        "lat=1&lon=1&radius=5",
        "lat=1&lon=1&Limit=5",
        "lat=1&lon=1&latitude=1",
        "lat=1&lon=1&lat=1",
        "lat=1&lon=1&limit=1&limit=1",
        "lat=1&lon=1&source=live&source=redis",
        "lat=1&lon=1&=",
        "lat=1&lon=1&%00=1",
        "lat[]=1&lon=1",
        "lat=%FF&lon=1",
        "la%74=1&lon=%20",
    ] {
        assert_eq!(nearby(query), (400, Vec::new()), "{query}");
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    for (query, pointer) in [
        ("lat=85.05112879&lon=1", "/lat"),
        ("lat=-90&lon=1", "/lat"),
        ("lat=NaN&lon=1", "/lat"),
        ("lat=1e999&lon=1", "/lat"),
        ("lat=-inf&lon=1", "/lat"),
        ("lat=1&lon=180.00001", "/lon"),
        ("lat=1&lon=infinity", "/lon"),
        ("lat=1&lon=1&radius_m=-1", "/radius_m"),
        ("lat=1&lon=1&radius_m=200001", "/radius_m"),
        ("lat=1&lon=1&radius_m=NaN", "/radius_m"),
        ("lat=1&lon=1&limit=0", "/limit"),
        ("lat=1&lon=1&limit=1001", "/limit"),
        ("lat=1&lon=1&max_age_s=-1", "/max_age_s"),
        ("lat=1&lon=1&max_age_s=nan", "/max_age_s"),
        ("lat=1&lon=1&source=file", "/source"),
    ] {
        assert_eq!(nearby(query), (422, vec![pointer.to_owned()]), "{query}");
    }
    let many = format!("lat=1&lon=1{}", "&status=a".repeat(33));
    assert_eq!(nearby(&many), (422, vec!["/status".to_owned()]));
}

#[test]
fn boxes_are_four_numbers_in_order() {
    assert!(parse_within("bbox=-74.1,40.6,-73.9,40.8").is_ok());
    assert!(parse_within("bbox=170,-10,-170,10&limit=1000&status=a").is_ok());
    for query in [
        "",
        "limit=5",
        "bbox=",
        "bbox=1,2,3",
        "bbox=1,2,3,4,5",
        "bbox=a,b,c,d",
        "bbox=1;2;3;4",
        "bbox=1,2,3,4&bbox=1,2,3,4",
        "bbox=1,2,3,4&lat=1",
        "bbox=1,2,3,4&radius_m=1",
    ] {
        assert_eq!(within(query), (400, Vec::new()), "{query}");
    }
    for query in [
        "bbox=0,10,1,9",
        "bbox=NaN,0,1,1",
        "bbox=0,NaN,1,1",
        "bbox=-181,0,1,1",
        "bbox=0,0,181,1",
        "bbox=0,-91,1,1",
        "bbox=0,0,1,inf",
    ] {
        assert_eq!(within(query), (422, vec!["/bbox".to_owned()]), "{query}");
    }
    assert_eq!(within("bbox=1,2,3,4&limit=0"), (422, vec!["/limit".to_owned()]));
    assert_eq!(within("bbox=1,2,3,4&limit=1001"), (422, vec!["/limit".to_owned()]));
}

#[test]
fn an_unknown_name_is_repeated_short_and_without_control_characters() {
    let problem = parse_nearby(&format!("%1B%0A{}=1", "x".repeat(10_000))).unwrap_err();
    let body: Value = serde_json::to_value(&problem).unwrap();
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.len() < 250 && !detail.chars().any(char::is_control), "{detail}");
}
