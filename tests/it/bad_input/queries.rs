//! Invalid queries.

use super::{post_json, still_works};
use crate::support::Scene;

#[actix_web::test]
async fn nearby_reports_invalid_parameters() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for query in [
        "",
        "lat=1",
        "lat=one&lon=1",
        "lat=1&lon=1&radius=5",
        "lat=1&lat=1&lon=1",
        "lat=1&lon=1&limit=ten",
        "lat=1&lon=1&limit=-1",
        "lat=1&lon=1&limit=1e2",
        "lat=%FF&lon=1",
        "lat=1&lon=1&%00",
        "lat=1&lon=1&min_capacity=4.5",
        "lat=1&lon=1&min_capacity=-1",
        "lat=1&lon=1&limit=1.5",
        "lat=1&lon=1&radius_m=2km",
        "lat=1&lon=1&max_age=5",
    ] {
        api.nearby(query).await.assert_problem(400, &[]);
    }
    for (query, pointer) in [
        ("lat=NaN&lon=1", "/lat"),
        ("lat=1&lon=inf", "/lon"),
        ("lat=1e999&lon=1", "/lat"),
        ("lat=85.06&lon=1", "/lat"),
        ("lat=1&lon=-inf", "/lon"),
        ("lat=1&lon=540.1", "/lon"),
        ("lat=1&lon=1&radius_m=-0.1", "/radius_m"),
        ("lat=1&lon=1&radius_m=200000.1", "/radius_m"),
        ("lat=1&lon=1&radius_m=nan", "/radius_m"),
        ("lat=1&lon=1&limit=0", "/limit"),
        ("lat=1&lon=1&limit=1001", "/limit"),
        ("lat=1&lon=1&max_age_s=-1", "/max_age_s"),
        ("lat=1&lon=1&source=postgres", "/source"),
    ] {
        api.nearby(query).await.assert_problem(422, &[pointer]);
    }
    still_works(&api).await;
}

#[actix_web::test]
async fn within_reports_invalid_parameters() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for query in [
        "",
        "bbox=",
        "bbox=1,2,3",
        "bbox=1,2,3,4,5",
        "bbox=a,b,c,d",
        "bbox=1,2,3,4&radius_m=5",
        "bbox=0,0,1,1&source=redis",
        "bbox=0,0,1,1&lat=1",
    ] {
        api.within(query).await.assert_problem(400, &[]);
    }
    for (query, pointer) in [
        ("bbox=0,5,1,4", "/bbox"),
        ("bbox=NaN,0,1,1", "/bbox"),
        ("bbox=0,0,541,1", "/bbox"),
        ("bbox=0,-91,1,1", "/bbox"),
        ("bbox=0,0,1,1&limit=0", "/limit"),
        ("bbox=0,0,1,1&limit=1001", "/limit"),
    ] {
        api.within(query).await.assert_problem(422, &[pointer]);
    }
    still_works(&api).await;
}

#[actix_web::test]
async fn each_fault_of_many_queries_is_reported_and_none_is_answered() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let path = "/v1/drivers/nearby";
    let body = r#"{"queries": [{"lat": 1, "lon": 1}, {"lat": 91, "lon": 1}, {"lat": 1}, 7]}"#;
    let answer = post_json(&api, path, body).await;
    answer.assert_problem(422, &["/queries/1/lat", "/queries/2/lon", "/queries/3"]);
    for body in ["[]", r#"[[{"lat": 1, "lon": 1}]]"#] {
        post_json(&api, path, body).await.assert_problem(422, &[""]);
    }
    for body in ["{}", r#"{"queries": 7}"#, r#"{"queries": [], "queries": []}"#] {
        post_json(&api, path, body).await.assert_problem(422, &["/queries"]);
    }
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"queries": [], "x": {open}{close}}}"#);
    for body in ["", "{", r#"{"queries": [NaN]}"#, &deep] {
        post_json(&api, path, body.to_owned()).await.assert_problem(400, &[]);
    }
    still_works(&api).await;
}
