//! Queries for the entities in a box.

use crate::support::{Answer, Api, Scene, eventually};
use serde_json::{Value, json};
use std::time::Duration;

#[actix_web::test]
async fn a_box_includes_its_border_and_reports_whether_there_are_more() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (id, lat, lon) in [
        ("inside", 1.0, 1.0),
        ("corner", 2.0, 2.0),
        ("edge", 0.0, 1.5),
        ("outside", 2.1, 1.0),
    ] {
        api.place(id, json!({"lat": lat, "lon": lon})).await;
    }
    let all = api.within("bbox=0,0,2,2").await;
    assert_eq!(
        (all.ids(), &all.body["truncated"]),
        (vec!["corner", "edge", "inside"], &json!(false))
    );
    assert_eq!(all.body["results"][0]["distance_m"], Value::Null);
    let some = api.within("bbox=0,0,2,2&limit=2").await;
    assert_eq!((some.ids().len(), &some.body["truncated"]), (2, &json!(true)));
    let exactly = api.within("bbox=0,0,2,2&limit=3").await;
    assert_eq!((exactly.ids().len(), &exactly.body["truncated"]), (3, &json!(false)));
    // A box may be a point.
    assert_eq!(api.within("bbox=1,1,1,1").await.ids(), ["inside"]);
}

#[actix_web::test]
async fn a_box_whose_west_is_greater_crosses_the_antimeridian() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (id, lon) in [
        ("fiji", 178.0),
        ("samoa", -172.0),
        ("east", 180.0),
        ("west", -180.0),
        ("greenwich", 0.0),
    ] {
        api.place(id, json!({"lat": -17, "lon": lon})).await;
    }
    for (bbox, expected) in [
        ("175,-20,-170,-10", vec!["east", "fiji", "samoa", "west"]),
        // The meridian has two longitudes.
        ("180,-20,-175,-10", vec!["east", "west"]),
        ("175,-20,180,-10", vec!["east", "fiji", "west"]),
        ("-180,-20,-170,-10", vec!["east", "samoa", "west"]),
        ("-180,-90,180,90", vec!["east", "fiji", "greenwich", "samoa", "west"]),
        ("-170,-20,175,-10", vec!["greenwich"]),
        // Longitudes beyond ±180, as from maps that scroll across the antimeridian.
        ("175,-20,190,-10", vec!["east", "fiji", "samoa", "west"]),
        ("-185,-20,-170,-10", vec!["east", "fiji", "samoa", "west"]),
        ("350,-20,370,-10", vec!["greenwich"]),
        ("-180,-20,540,-10", vec!["east", "fiji", "greenwich", "samoa", "west"]),
    ] {
        assert_eq!(api.within(&format!("bbox={bbox}")).await.ids(), expected, "{bbox}");
    }
    for lon in [188, -172] {
        let found = api.nearby(&format!("lat=-17&lon={lon}")).await;
        assert_eq!(found.ids(), ["samoa"], "{lon}");
        // Answers show coordinates as they were reported.
        assert_eq!(found.body["results"][0]["lon"], -172.0);
        let many = api.nearby_many(json!([{"lat": -17, "lon": lon}])).await;
        assert_eq!(many.body["results"][0][0]["id"], "samoa", "{lon}");
    }
}

/// Returns the pages of a listing, each from the next of the instances. `between` runs after each page.
async fn pages(instances: &[Api], query: &str, mut between: impl AsyncFnMut(u32)) -> Vec<Answer> {
    let mut pages: Vec<Answer> = Vec::new();
    let (mut cursor, mut round) = (String::new(), 0);
    loop {
        let api = &instances[pages.len() % instances.len()];
        let page = api.within(&format!("{query}{cursor}")).await;
        assert_eq!(page.body["truncated"], page.body["cursor"].is_string(), "{page:?}");
        if let Some(next) = page.body["cursor"].as_str() {
            cursor = format!("&cursor={next}");
            pages.push(page);
            round += 1;
            between(round).await;
        } else {
            pages.push(page);
            return pages;
        }
    }
}

#[actix_web::test]
async fn a_box_is_listed_page_by_page_at_any_instance_while_all_move() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let instances = [one.drivers(), other.drivers()];
    let fleet = |round: u32| -> Vec<Value> {
        let place = |n: u32| {
            let hop = n * 7 + round * 31;
            let (lat, lon) = (f64::from(hop % 19) / 10.0, f64::from(hop % 23) / 10.0);
            let status = if n.is_multiple_of(2) { "free" } else { "busy" };
            json!({"id": format!("d-{n}"), "lat": lat, "lon": lon, "status": status})
        };
        (0..500).map(place).collect()
    };
    instances[0].place_all(&fleet(0)).await;
    eventually(Duration::from_secs(10), "the other instance has all", async || {
        let all = instances[1].within("bbox=-1,-1,3,3&status=free&status=busy").await;
        (all.ids().len() == 500).then_some(())
    })
    .await;
    for (filter, step) in [("", 1), ("&status=free", 2)] {
        let mut expected: Vec<String> = (0..500).step_by(step).map(|n| format!("d-{n}")).collect();
        expected.sort();
        let query = format!("bbox=-1,-1,3,3&limit=60{filter}");
        let pages = pages(&instances, &query, async |round| {
            instances[0].place_all(&fleet(round)).await;
        })
        .await;
        assert_eq!(pages.len(), expected.len().div_ceil(60));
        let listed: Vec<&str> = pages.iter().flat_map(Answer::ids).collect();
        assert_eq!(listed, expected, "{filter}");
    }
    // In GeoJSON the cursor is a member next to `features`.
    let features = instances[0].geojson("within?bbox=-1,-1,3,3&limit=60").await;
    assert!(features.body["cursor"].is_string(), "{features:?}");
}

#[actix_web::test]
async fn a_cursor_is_valid_only_for_its_listing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for id in ["a", "b", "c"] {
        api.place(id, json!({"lat": 1, "lon": 1})).await;
    }
    let first = api.within("bbox=0,0,2,2&limit=1").await;
    let cursor = first.body["cursor"].as_str().unwrap();
    assert_eq!(first.ids(), ["a"]);
    let rest = api.within(&format!("bbox=0,0,2,2&cursor={cursor}")).await;
    assert_eq!((rest.ids(), &rest.body["truncated"]), (vec!["b", "c"], &json!(false)));
    for query in [
        format!("bbox=0,0,2,3&cursor={cursor}"),
        format!("bbox=0,0,2,2&status=free&cursor={cursor}"),
        "bbox=0,0,2,2&cursor=a".to_owned(),
        "bbox=0,0,2,2&cursor=".to_owned(),
    ] {
        api.within(&query).await.assert_problem(422, &["/cursor"]);
    }
    let vehicles = format!("/v1/vehicles/within?bbox=0,0,2,2&cursor={cursor}");
    api.get(&vehicles).await.assert_problem(422, &["/cursor"]);
}
