//! Who is inside a box.

use crate::support::Scene;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_box_holds_its_border_and_says_whether_there_were_more() {
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
async fn a_box_whose_west_is_greater_lies_across_the_antimeridian() {
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
        // The meridian has two names.
        ("180,-20,-175,-10", vec!["east", "west"]),
        ("175,-20,180,-10", vec!["east", "fiji", "west"]),
        ("-180,-20,-170,-10", vec!["east", "samoa", "west"]),
        ("-180,-90,180,90", vec!["east", "fiji", "greenwich", "samoa", "west"]),
        ("-170,-20,175,-10", vec!["greenwich"]),
    ] {
        assert_eq!(api.within(&format!("bbox={bbox}")).await.ids(), expected, "{bbox}");
    }
}
