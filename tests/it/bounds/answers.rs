//! Answers are bounded in bytes, and show where they are cut.

use super::{place_fat, times};
use crate::support::{Answer, Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

/// The setting's default.
const MOST: usize = 4 * 1024 * 1024;
const SMALL: usize = 256 * 1024;
const WITH_SMALL: &str = "--max-answer-bytes=262144";

fn size(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200);
    // The same as was sent, except for the format of numbers.
    serde_json::to_vec(&answer.body).unwrap().len()
}

#[actix_web::test]
async fn a_short_query_does_not_get_a_huge_answer() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    place_fat(&api, 100).await;
    let nearest = api.nearby("lat=60&lon=25&limit=1000").await;
    assert!((MOST - 60_000..=MOST).contains(&size(&nearest)), "{}", size(&nearest));
    assert_eq!(nearest.body["truncated"], true);
    assert_eq!(nearest.ids()[..2], ["f-000", "f-001"]);
    // An answer that fits does not have the member.
    let few = api.nearby("lat=60&lon=25&limit=10").await;
    assert_eq!((few.ids().len(), few.body.get("truncated")), (10, None));

    let many = api
        .nearby_many(json!(times(50, &json!({"lat": 60, "lon": 25, "limit": 20}))))
        .await;
    assert!(size(&many) <= MOST);
    let lists = many.body["results"].as_array().unwrap();
    assert!((2..50).contains(&lists.len()), "{}", lists.len());
    assert!(lists.iter().all(|list| list.as_array().unwrap().len() == 20));
    assert_eq!(many.body["truncated"], true);

    let feature = api.geojson("nearby?lat=60&lon=25&limit=1000").await;
    assert!(size(&feature) <= MOST && feature.body["truncated"] == true);
}

#[actix_web::test]
async fn the_pages_of_a_box_continue_where_they_were_cut() {
    let scene = Scene::new().await.with(&[WITH_SMALL]);
    let service = scene.start().await;
    let api = service.drivers();
    place_fat(&api, 20).await;
    let (mut found, mut cursor): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        let page = api.within(&format!("bbox=24,59,26,61{cursor}")).await;
        assert!(size(&page) <= SMALL, "{}", size(&page));
        found.extend(page.ids().into_iter().map(str::to_owned));
        match page.body["cursor"].as_str() {
            Some(next) => {
                assert_eq!(page.body["truncated"], true);
                cursor = format!("&cursor={next}");
            }
            None => break,
        }
    }
    let all: Vec<_> = (0..20).map(|n| format!("f-{n:03}")).collect();
    assert_eq!(found, all);
}

#[actix_web::test]
async fn fields_selects_the_members_of_answers() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let fix = json!({"lat": 60, "lon": 25, "speed_mps": 3, "status": "free", "attributes": {"a": 1}});
    api.place("d-1", fix).await;
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let nearest = api.nearby("lat=60&lon=25&fields=lat,distance_m,status").await;
    assert_eq!(
        members(&nearest.body["results"][0]),
        ["distance_m", "id", "lat", "status"]
    );
    let inside = api.within("bbox=24,59,26,61&fields=id").await;
    assert_eq!(inside.body["results"][0], json!({"id": "d-1"}));
    let feature = api.geojson("within?bbox=24,59,26,61&fields=speed_mps").await;
    let feature = &feature.body["features"][0];
    assert_eq!(feature["properties"], json!({"speed_mps": 3.0}));
    assert_eq!(feature["geometry"]["coordinates"], json!([25.0, 60.0]));
    let queries = json!({"queries": [{"lat": 60, "lon": 25}]});
    let many = send(
        api.request(Method::POST, "/v1/drivers/nearby?fields=lon")
            .json(&queries),
    )
    .await;
    assert_eq!(many.body["results"][0][0], json!({"id": "d-1", "lon": 25.0}));
    let wrong = api.nearby("lat=60&lon=25&fields=lat,lng").await;
    wrong.assert_problem(422, &["/fields"]);
    assert!(wrong.body["detail"].as_str().unwrap().contains("did you mean `lon`?"));
    send(api.request(Method::POST, "/v1/drivers/nearby?field=lon").json(&queries))
        .await
        .assert_problem(400, &[]);
}

#[actix_web::test]
async fn a_batch_of_the_cache_is_cut() {
    let scene = Scene::new().await.with(&[WITH_SMALL]);
    let service = scene.start().await;
    let api = service.drivers();
    let keys: Vec<_> = (0..10).map(|n| format!("k{n}")).collect();
    for key in &keys {
        let put = json!({"value": "x".repeat(50_000), "ttl_s": 60});
        let put = api.request(Method::PUT, &format!("/v1/cache/n/{key}")).json(&put);
        assert_eq!(put.send().await.unwrap().status(), 204);
    }
    let mut left = keys.as_slice();
    let mut rounds = 0;
    while !left.is_empty() {
        let found = send(api.request(Method::POST, "/v1/cache/n").json(&json!({"get": left}))).await;
        assert!(size(&found) <= SMALL);
        let results = found.body["results"].as_array().unwrap();
        for (key, result) in left.iter().zip(results) {
            assert_eq!(result["key"], **key);
            assert_eq!(result["value"].as_str().unwrap().len(), 50_000);
        }
        left = &left[results.len()..];
        assert_eq!(found.body.get("truncated").is_some(), !left.is_empty());
        rounds += 1;
    }
    assert_eq!(rounds, 2);
}

#[actix_web::test]
async fn the_schedules_of_a_queue_are_listed_in_pages() {
    let scene = Scene::new().await.with(&[WITH_SMALL]);
    let service = scene.start().await;
    let api = service.drivers();
    let mut all = Vec::new();
    for n in 0..10 {
        let name = format!("s-{n}");
        let schedule = json!({"every_ms": 3_600_000, "job": {"type": "t", "payload": "x".repeat(60_000)}});
        let put = api.request(Method::PUT, &format!("/v1/queues/bounds/schedules/{name}"));
        let put = send(put.json(&schedule)).await;
        assert_eq!(put.status, 200, "{put:?}");
        all.push(name);
    }
    let (mut found, mut cursor): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v1/queues/bounds/schedules{cursor}")).await;
        assert!(size(&page) <= SMALL);
        let schedules = page.body["schedules"].as_array().unwrap();
        assert!(!schedules.is_empty());
        found.extend(schedules.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    found.sort_unstable();
    assert_eq!(found, all);
}

#[actix_web::test]
async fn the_events_of_a_queue_are_listed_in_pages_of_bounded_size() {
    let scene = Scene::new().await.with(&[WITH_SMALL]);
    let service = scene.start().await;
    let api = service.drivers();
    let jobs = json!(times(1_000, &json!({"type": "t"})));
    for _ in 0..10 {
        let added = send(api.request(Method::POST, "/v1/queues/bounded-events/jobs").json(&jobs)).await;
        assert_eq!(added.status, 201, "{added:?}");
    }
    let (mut named, mut pages, mut after) = (0, 0, "0-0".to_owned());
    loop {
        let page = api
            .get(&format!("/v1/queues/bounded-events/events?limit=1000&after={after}"))
            .await;
        assert!(size(&page) <= SMALL, "{}", size(&page));
        assert_eq!(page.body.get("gap"), None);
        let events = page.body["events"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        named += events
            .iter()
            .map(|event| event["jobs"].as_array().unwrap().len())
            .sum::<usize>();
        page.body["next"].as_str().unwrap().clone_into(&mut after);
        pages += 1;
    }
    assert_eq!(named, 10_000);
    assert!(pages > 1, "{pages}");
}
