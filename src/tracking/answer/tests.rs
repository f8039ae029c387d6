use super::*;
use crate::geo::Point;
use crate::http::Query;
use crate::ids::Id;
use crate::tracking::model::{Fix, Scalar};
use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn hit() -> Hit {
    let profile = Profile {
        status: Some("on \"break\"\n".into()),
        vehicle_type: None,
        capacity: Some(4),
        attributes: [
            ("color".into(), Scalar::Text("réd".into())),
            ("ac".into(), Scalar::Bool(true)),
        ]
        .into(),
        ..Profile::default()
    };
    let fix = Fix {
        point: Point::new(40.7484, -73.9857).unwrap(),
        timestamp_ms: 1_790_000_000_123,
        received_us: 0,
        accuracy_m: None,
        altitude_m: Some(-3.5),
        speed_mps: Some(13.4),
        heading_deg: Some(0.0),
    };
    let entity = Entity {
        id: Id::parse("d-1").unwrap(),
        fix,
        profile: Some(Arc::new(profile)),
    };
    Hit {
        entity,
        distance_m: 12.0405,
    }
}

fn list(found: Found<'_>, form: Form) -> Value {
    let list = List {
        found,
        source: "live",
        stale: false,
        truncated: None,
        cursor: None,
        now_ms: 1_790_000_000_623,
        form,
        members: Members::default(),
        most_bytes: usize::MAX,
    };
    serde_json::from_slice(&list.to_json()).unwrap()
}

#[test]
fn a_long_list_is_truncated_and_marked() {
    let hits = vec![hit(); 1_000];
    let cursor = |id: &Id| format!("behind-{id}");
    for form in [Form::Json, Form::GeoJson] {
        let list = List {
            found: Found::Hits(&hits),
            source: "live",
            stale: false,
            truncated: None,
            cursor: Some(&cursor),
            now_ms: 1_790_000_000_623,
            form,
            members: Members::default(),
            most_bytes: 10_000,
        };
        let body = list.to_json();
        assert!((9_000..=10_000).contains(&body.len()), "{}", body.len());
        let body: Value = serde_json::from_slice(&body).unwrap();
        let name = if form == Form::Json { "results" } else { "features" };
        assert!(!body[name].as_array().unwrap().is_empty());
        assert_eq!(
            (&body["truncated"], &body["cursor"]),
            (&json!(true), &json!("behind-d-1"))
        );
        let tiny = List { most_bytes: 1, ..list }.to_json();
        let tiny: Value = serde_json::from_slice(&tiny).unwrap();
        assert_eq!(tiny[name].as_array().unwrap().len(), 1);
    }
}

#[test]
fn many_lists_are_cut_behind_a_whole_one() {
    let push = |lists: &mut Lists, hits: &[Hit]| lists.push(hits, None, &mut None).now_or_never().unwrap().unwrap();
    let hits = vec![hit(); 10];
    let mut lists = Lists::new(Members::default(), 1_790_000_000_623, 10_000);
    let mut pushed = 0;
    while push(&mut lists, &hits) {
        pushed += 1;
    }
    let body = lists.finish(false);
    assert!(body.len() <= 10_000, "{}", body.len());
    let body: Value = serde_json::from_slice(&body).unwrap();
    let results = body["results"].as_array().unwrap();
    assert!(pushed > 1 && results.len() == pushed);
    assert!(results.iter().all(|list| list.as_array().unwrap().len() == 10));
    assert_eq!(body["truncated"], true);
    // The first is there in any case, as far as it fits.
    let mut lists = Lists::new(Members::default(), 1_790_000_000_623, 1_500);
    assert!(!push(&mut lists, &hits));
    let body: Value = serde_json::from_slice(&lists.finish(false)).unwrap();
    let first = body["results"][0].as_array().unwrap().len();
    assert!((1..10).contains(&first) && body["truncated"] == true);
}

#[actix_web::test]
async fn a_long_list_is_written_alike_in_steps() {
    let hits = vec![hit(); 2_000];
    let list = List {
        found: Found::Hits(&hits),
        source: "live",
        stale: false,
        truncated: None,
        cursor: None,
        now_ms: 1_790_000_000_623,
        form: Form::Json,
        members: Members::default(),
        most_bytes: usize::MAX,
    };
    let mut uncounted = None;
    let mut writing = Box::pin(list.write(None, &mut uncounted));
    let mut steps = 1;
    let text = loop {
        match (&mut writing).now_or_never() {
            Some(text) => break text.unwrap(),
            None => yield_now().await,
        }
        steps += 1;
    };
    assert_eq!(text, list.to_json());
    assert!(steps > text.len() / STEP, "{steps}");
}

#[test]
fn only_the_members_that_are_asked_for_are_shown() {
    let shown = |fields: &str, form| {
        let list = List {
            found: Found::Hits(&[hit()]),
            source: "live",
            stale: false,
            truncated: None,
            cursor: None,
            now_ms: 1_790_000_000_623,
            form,
            members: Query::parse(fields).map(|Query(members)| members).unwrap(),
            most_bytes: usize::MAX,
        };
        serde_json::from_slice::<Value>(&list.to_json()).unwrap()
    };
    let body = shown("fields=lon,status", Form::Json);
    assert_eq!(
        body["results"][0],
        json!({"id": "d-1", "lon": -73.9857, "status": "on \"break\"\n"})
    );
    assert_eq!(shown("fields=id", Form::Json)["results"][0], json!({"id": "d-1"}));
    let body = shown("fields=speed_mps,capacity", Form::GeoJson);
    assert_eq!(
        body["features"][0]["properties"],
        json!({"speed_mps": 13.4, "capacity": 4})
    );
    assert_eq!(
        shown("fields=id", Form::GeoJson)["features"][0]["properties"],
        json!({})
    );
}

#[test]
fn a_hit_is_shown_whole() {
    let expected = json!({
        "results": [{
            "id": "d-1", "lat": 40.7484, "lon": -73.9857, "distance_m": 12.041, "age_ms": 500,
            "timestamp": "2026-09-21T14:13:20.123Z", "altitude_m": -3.5, "speed_mps": 13.4, "heading_deg": 0.0,
            "status": "on \"break\"\n", "capacity": 4, "attributes": {"color": "réd", "ac": true},
        }],
        "source": "live", "stale": false,
    });
    assert_eq!(list(Found::Hits(&[hit()]), Form::Json), expected);
}

#[test]
fn a_feature_has_longitude_first_and_the_rest_as_properties() {
    let shown = list(Found::Hits(&[hit(), hit()]), Form::GeoJson);
    assert_eq!(shown["type"], "FeatureCollection");
    assert_eq!(
        shown["features"][1]["geometry"],
        json!({"type": "Point", "coordinates": [-73.9857, 40.7484]})
    );
    assert_eq!(shown["features"][1]["properties"]["distance_m"], 12.041);
    assert!(shown["features"][1]["properties"].get("lat").is_none());
}

proptest! {
    #[test]
    fn numbers_read_as_what_was_written(lat in -85.05..85.05, lon in -180.0..=180.0, distance in 0.0..2.1e7) {
        let mut hit = hit();
        hit.entity.fix.point = Point::new(lat, lon).unwrap();
        hit.distance_m = distance;
        let shown = list(Found::Hits(&[hit]), Form::Json);
        let number = |name: &str| shown["results"][0][name].as_f64().unwrap();
        prop_assert_eq!(number("lat").to_bits(), lat.to_bits());
        prop_assert_eq!(number("lon").to_bits(), lon.to_bits());
        prop_assert!((number("distance_m") - distance).abs() <= 0.000_501);
    }
}
