//! Query strings: 400 if it cannot be parsed, 422 if a value is out of range.

use super::*;

fn nearby(query: &str) -> (u64, Vec<String>) {
    reported(&parse_nearby(query).expect_err(query))
}

fn within(query: &str) -> (u64, Vec<String>) {
    reported(&parse_within(query, Kind::Drivers).expect_err(query))
}

fn box_of(query: &str) -> WithinQuery {
    parse_within(query, Kind::Drivers).expect(query)
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
    for (query, lon) in [
        ("lat=0&lon=361", 1.0),
        ("lat=0&lon=-190", 170.0),
        ("lat=0&lon=540", 180.0),
    ] {
        assert_eq!(
            parse_nearby(query).unwrap().0.center,
            Point::new(0.0, lon).unwrap(),
            "{query}"
        );
    }
    // An empty pair is ignored.
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
        ("lat=1&lon=540.00001", "/lon"),
        ("lat=1&lon=-541", "/lon"),
        ("lat=1&lon=NaN", "/lon"),
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
    box_of("bbox=-74.1,40.6,-73.9,40.8");
    box_of("bbox=170,-10,-170,10&limit=1000&status=a");
    for (query, same) in [
        ("bbox=170,-20,190,-10", "bbox=170,-20,-170,-10"),
        ("bbox=-190,-20,-170,-10", "bbox=170,-20,-170,-10"),
        ("bbox=-540,-20,540,-10", "bbox=-180,-20,180,-10"),
    ] {
        assert_eq!(box_of(query), box_of(same), "{query}");
    }
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
        "bbox=-541,0,1,1",
        "bbox=0,0,540.1,1",
        "bbox=0,0,inf,1",
        "bbox=0,-91,1,1",
        "bbox=0,0,1,inf",
    ] {
        assert_eq!(within(query), (422, vec!["/bbox".to_owned()]), "{query}");
    }
    assert_eq!(within("bbox=1,2,3,4&limit=0"), (422, vec!["/limit".to_owned()]));
    assert_eq!(within("bbox=1,2,3,4&limit=1001"), (422, vec!["/limit".to_owned()]));
}

#[test]
fn a_cursor_continues_the_listing_that_returned_it() {
    const FILTERS: &str = "status=a&status=b&max_age_s=60&min_capacity=2&vehicle_type=van";
    let of = |query: &str| write_cursor(Kind::Drivers, &box_of(query), &Id::parse("d-7").unwrap());
    let cursor = of(&format!("bbox=170,-20,190,-10&limit=5&{FILTERS}"));
    // Another limit, or another spelling of the same values, is the same listing.
    for query in [
        format!("bbox=170,-20,190,-10&{FILTERS}"),
        format!("bbox=170,-20,-170,-10.0&limit=1&{FILTERS}"),
        "bbox=170,-20,190,-10&min_capacity=2&vehicle_type=van&status=b&status=a&max_age_s=60.0".to_owned(),
    ] {
        let query = box_of(&format!("{query}&cursor={cursor}"));
        assert_eq!(query.after.as_deref(), Some("d-7"));
    }
    let refused = |query: &str, cursor: &str, kind| {
        let problem = parse_within(&format!("{query}&cursor={cursor}"), kind).unwrap_err();
        assert_eq!(
            reported(&problem),
            (422, vec!["/cursor".to_owned()]),
            "{query} {cursor}"
        );
        problem.to_string()
    };
    let own = format!("bbox=170,-20,190,-10&{FILTERS}");
    for (query, kind) in [
        (own.clone(), Kind::Vehicles),
        (own.replace("190", "191"), Kind::Drivers),
        (own.replace("status=b", "status=c"), Kind::Drivers),
        (own.replace("&status=b", ""), Kind::Drivers),
        (own.replace("vehicle_type", "status"), Kind::Drivers),
        (own.replace("max_age_s=60", "max_age_s=61"), Kind::Drivers),
        (own.replace("min_capacity=2", "min_capacity=3"), Kind::Drivers),
    ] {
        assert!(refused(&query, &cursor, kind).contains("belongs to another listing"));
    }
    let long = "A".repeat(4_000);
    for malformed in [
        "",
        "x",
        "d-7",
        "AQ",
        &cursor[1..],
        &cursor[..11],
        &format!("{cursor}AA"),
        "%00",
        &long,
    ] {
        assert!(refused(&own, malformed, Kind::Drivers).contains("cursor"));
    }
}

#[test]
fn an_unknown_name_is_repeated_short_and_without_control_characters() {
    let problem = parse_nearby(&format!("%1B%0A{}=1", "x".repeat(10_000))).unwrap_err();
    let body: Value = serde_json::to_value(&problem).unwrap();
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.len() < 250 && !detail.chars().any(char::is_control), "{detail}");
}
