//! Nearby queries: the form of the answer, its bounds, and invalid queries.

use crate::support::Scene;
use fleetpulse::geo::{Point, distance_m};
use fleetpulse::ids::Id;
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};

#[actix_web::test]
async fn an_answer_contains_all_members_and_the_distance() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place(
        "near",
        json!({"lat": 40.7484, "lon": -73.9857, "heading_deg": 90, "speed_mps": 5}),
    )
    .await;
    api.place("far", json!({"lat": 40.7584, "lon": -73.9857, "status": "available"}))
        .await;
    let answer = api.nearby("lat=40.7480&lon=-73.9850").await;
    assert_eq!(
        (&answer.body["source"], &answer.body["stale"]),
        (&json!("live"), &json!(false))
    );
    assert_eq!(answer.ids(), ["near", "far"]);
    let near = &answer.body["results"][0];
    let exact = distance_m(
        Point::new(40.748, -73.985).unwrap(),
        Point::new(40.7484, -73.9857).unwrap(),
    );
    assert!(
        (near["distance_m"].as_f64().unwrap() - exact).abs() < 0.001,
        "{near} {exact}"
    );
    assert_eq!((&near["heading_deg"], &near["speed_mps"]), (&json!(90.0), &json!(5.0)));
    // Unknown members are absent.
    let members: Vec<_> = answer.body["results"][1].as_object().unwrap().keys().cloned().collect();
    for member in ["id", "lat", "lon", "distance_m", "age_ms", "timestamp", "status"] {
        assert!(members.iter().any(|name| name == member), "{member} of {members:?}");
    }
    assert_eq!(members.len(), 7, "{members:?}");
}

#[actix_web::test]
async fn the_default_radius_is_two_kilometres_and_the_default_limit_ten() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    // 1e-3 degrees of latitude are 111.2 m: 17 of these are within 2 km.
    let row: Vec<Value> = (0..30)
        .map(|n| json!({"id": format!("d-{n:02}"), "lat": f64::from(n) * 1e-3, "lon": 0}))
        .collect();
    api.place_all(&row).await;
    assert_eq!(api.nearby("lat=0&lon=0").await.ids().len(), 10);
    assert_eq!(api.nearby("lat=0&lon=0&limit=1000").await.ids().len(), 18);
    assert_eq!(api.nearby("lat=0&lon=0&radius_m=0").await.ids(), ["d-00"]);
    assert_eq!(
        api.nearby("lat=0&lon=0&radius_m=200000&limit=1000").await.ids().len(),
        30
    );
}

#[actix_web::test]
async fn entities_across_the_antimeridian_are_near() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (id, lon) in [
        ("west", 179.999),
        ("east", -179.999),
        ("on", 180.0),
        ("also-on", -180.0),
    ] {
        api.place(id, json!({"lat": 52, "lon": lon})).await;
    }
    for source in ["live", "redis"] {
        for (lon, expected) in [
            (180.0, ["also-on", "on", "east", "west"]),
            (-180.0, ["also-on", "on", "east", "west"]),
            (179.999, ["west", "also-on", "on", "east"]),
        ] {
            let query = format!("lat=52&lon={lon}&radius_m=500&source={source}");
            assert_eq!(api.nearby(&query).await.ids(), expected, "{query}");
        }
    }
}

#[actix_web::test]
async fn geojson_is_returned_on_request() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", json!({"lat": 40.5, "lon": -73.5, "status": "busy"}))
        .await;
    for (call, has_distance) in [
        ("nearby?lat=40.5&lon=-73.5", true),
        ("within?bbox=-74,40,-73,41", false),
    ] {
        let answer = api.geojson(call).await;
        assert_eq!((answer.status, &*answer.content_type), (200, "application/geo+json"));
        assert_eq!(answer.body["type"], "FeatureCollection");
        let feature = &answer.body["features"][0];
        assert_eq!((&feature["type"], &feature["id"]), (&json!("Feature"), &json!("d-1")));
        assert_eq!(
            feature["geometry"],
            json!({"type": "Point", "coordinates": [-73.5, 40.5]})
        );
        assert_eq!(feature["properties"]["status"], "busy");
        assert_eq!(feature["properties"]["distance_m"].is_number(), has_distance);
    }
}

#[actix_web::test]
async fn many_queries_are_bounded_and_all_or_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", json!({"lat": 1, "lon": 1})).await;
    let query = json!({"lat": 1, "lon": 1});
    let answer = api.nearby_many(json!(vec![query.clone(); 1_000])).await;
    let lists = answer.body["results"].as_array().unwrap();
    assert!(lists.len() == 1_000 && lists.iter().all(|list| list[0]["id"] == "d-1"));

    api.nearby_many(json!(vec![query.clone(); 1_001]))
        .await
        .assert_problem(422, &["/queries"]);
    let greedy = json!({"lat": 1, "lon": 1, "limit": 1_000});
    api.nearby_many(json!(vec![greedy; 51]))
        .await
        .assert_problem(422, &["/queries"]);
    let wrong = json!([query, {"lat": 91, "lon": 1}, {"lat": 1, "lon": "1"}, 5]);
    let answer = api.nearby_many(wrong).await;
    answer.assert_problem(422, &["/queries/1/lat", "/queries/2/lon", "/queries/3"]);
    assert_eq!(api.nearby_many(json!([])).await.body["results"], json!([]));
}

#[actix_web::test]
async fn members_of_other_programs_do_not_affect_a_search_in_redis() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fixes: Vec<Value> = (0..60)
        .map(|n| json!({"id": format!("d-{n:02}"), "lat": 10.01 + f64::from(n) * 1e-5, "lon": 20}))
        .collect();
    api.place_all(&fixes).await;
    // Members nearer than all of ours that are not ids; some are not even text.
    let mut add = cmd("GEOADD");
    add.arg(scene.geo(Kind::Drivers));
    for n in 0..200_u8 {
        add.arg(20).arg(10).arg([b"no id \xff ", &[n][..]].concat());
    }
    let _: u64 = scene.redis.query(&add).await;
    // A member without a snapshot, one whose snapshot is of another type, and one with the snapshot of another entity.
    let add = |id: &str| {
        cmd("GEOADD")
            .arg(scene.geo(Kind::Drivers))
            .arg(20)
            .arg(10)
            .arg(id)
            .clone()
    };
    let key = |id: &str| scene.keys().snapshot(Kind::Drivers, 0, &Id::parse(id).unwrap());
    for id in ["ghost", "list", "double"] {
        let _: u64 = scene.redis.query(&add(id)).await;
    }
    let _: u64 = scene.redis.query(cmd("RPUSH").arg(key("list")).arg(1)).await;
    let snapshot: Vec<u8> = scene.redis.query(cmd("GET").arg(key("d-00"))).await;
    let () = scene.redis.query(cmd("SET").arg(key("double")).arg(snapshot)).await;
    // Keys that are not profiles.
    let profile = |id: &str| scene.keys().profile(Kind::Drivers, 0, &Id::parse(id).unwrap());
    let () = scene.redis.query(cmd("SET").arg(profile("d-00")).arg("x")).await;
    let _: u64 = scene
        .redis
        .query(
            cmd("HSET")
                .arg(profile("d-01"))
                .arg("status")
                .arg(&b"\xff"[..])
                .arg("v")
                .arg(1),
        )
        .await;
    let expected: Vec<String> = (0..60).map(|n| format!("d-{n:02}")).collect();
    for limit in [1, 3, 60, 100] {
        let found = api
            .nearby(&format!("lat=10&lon=20&radius_m=5000&limit={limit}&source=redis"))
            .await;
        assert_eq!(found.ids(), expected[..limit.min(60)], "{limit}");
    }
}
