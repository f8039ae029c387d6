//! A fix's time to live: to the millisecond in answers, within ten seconds in Redis's index.

use crate::support::{Answer, Api, Scene, Service, eventually, ids, now_ms};
use fleetpulse::geo::{Point, geohash52};
use fleetpulse::kind::Kind;
use redis::cmd;
use serde_json::{Value, json};
use std::time::Duration;

/// The time that an index entry may outlive its snapshot.
const NO_GHOST_AFTER: Duration = Duration::from_secs(10);

/// The queries that find `d-1` at 0° 0°.
const CALLS: [&str; 5] = ["position", "nearby", "nearby from Redis", "nearby many", "within"];

async fn sees(api: &Api, call: &str) -> bool {
    let seen = |answer: Answer| {
        let seen = answer.ids();
        assert!(seen.is_empty() || seen == ["d-1"], "{seen:?}");
        !seen.is_empty()
    };
    match call {
        "position" => match api.position("d-1").await.status {
            200 => true,
            404 => false,
            other => panic!("{other}"),
        },
        "nearby" => seen(api.nearby("lat=0&lon=0").await),
        "nearby from Redis" => seen(api.nearby("lat=0&lon=0&source=redis").await),
        "nearby many" => {
            let answer = api.nearby_many(json!([{"lat": 0, "lon": 0}])).await;
            !ids(&answer.body["results"][0]).is_empty()
        }
        _ => seen(api.within("bbox=-1,-1,1,1").await),
    }
}

/// Repeats every query until none finds the driver any more: each answer before `ends_ms` must contain the driver,
/// and none after it may.
async fn ends_exactly_at(instances: &[&Service], ends_ms: i64) {
    let apis: Vec<Api> = instances.iter().map(|service| service.drivers()).collect();
    let mut left: Vec<(&Api, &str)> = apis.iter().flat_map(|api| CALLS.map(|call| (api, call))).collect();
    for (api, call) in &left {
        assert!(
            sees(api, call).await || now_ms() >= ends_ms,
            "{call} sees him while his time lasts"
        );
    }
    while !left.is_empty() {
        let mut still = Vec::new();
        for (api, call) in left {
            let asked = now_ms();
            if sees(api, call).await {
                assert!(asked < ends_ms, "{call} saw him {} ms too late", asked - ends_ms);
                still.push((api, call));
            } else {
                let answered = now_ms();
                assert!(
                    answered >= ends_ms,
                    "{call} missed him {} ms too early",
                    ends_ms - answered
                );
            }
        }
        left = still;
    }
}

async fn no_ghosts(scene: &Scene) {
    eventually(
        NO_GHOST_AFTER,
        "expired entities are removed from the index",
        async || {
            let left: u64 = scene.redis.query(cmd("ZCARD").arg(scene.geo(Kind::Drivers))).await;
            (left == 0).then_some(())
        },
    )
    .await;
}

#[actix_web::test]
async fn a_fix_is_in_every_answer_until_it_expires() {
    let scene = Scene::new().await.with(&["--ttl-drivers=2"]);
    let (one, two) = (scene.start().await, scene.start().await);
    let at = now_ms();
    one.drivers()
        .place("d-1", json!({"lat": 0, "lon": 0, "timestamp": at, "status": "busy"}))
        .await;
    eventually(
        Duration::from_secs(2),
        "the other instance has received it",
        async || (two.drivers().position("d-1").await.status == 200).then_some(()),
    )
    .await;
    ends_exactly_at(&[&one, &two], at + 2_000).await;
    let snapshot: Option<String> = scene
        .redis
        .query(cmd("GET").arg(scene.snapshot(Kind::Drivers, "d-1")))
        .await;
    assert_eq!(snapshot, None);
    no_ghosts(&scene).await;

    // The profile outlives the position, and is shown again with a new fix.
    two.drivers().place("d-1", json!({"lat": 0, "lon": 0})).await;
    assert_eq!(two.drivers().position("d-1").await.body["status"], "busy");
}

#[actix_web::test]
async fn a_late_fix_expires_by_its_timestamp() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let at = now_ms() - 299_000;
    service
        .drivers()
        .place("d-1", json!({"lat": 0, "lon": 0, "timestamp": at}))
        .await;
    ends_exactly_at(&[&service], at + 300_000).await;
    no_ghosts(&scene).await;
    service.drivers().position("d-1").await.assert_problem(404, &[]);
}

#[actix_web::test]
async fn many_expired_entities_leave_no_index_entries_with_two_instances() {
    let scene = Scene::new().await.with(&["--ttl=1"]);
    let (one, two) = (scene.start().await, scene.start().await);
    let crowd = |name: &str| -> Vec<Value> {
        (0..1_500)
            .map(|n| json!({"id": format!("{name}-{n}"), "lat": f64::from(n) * 1e-3, "lon": 0}))
            .collect()
    };
    one.drivers().place_all(&crowd("a")).await;
    two.drivers().place_all(&crowd("b")).await;
    no_ghosts(&scene).await;
    for service in [&one, &two] {
        assert!(service.drivers().within("bbox=-180,-90,180,90").await.ids().is_empty());
    }
}

#[actix_web::test]
async fn an_entity_that_reports_again_in_time_stays_in_the_index() {
    let scene = Scene::new().await.with(&["--ttl=1"]);
    let service = scene.start().await;
    let api = service.drivers();
    let until = now_ms() + 3_000;
    while now_ms() < until {
        api.place("d-1", json!({"lat": 0, "lon": 0})).await;
        assert!(sees(&api, "nearby from Redis").await);
    }
}

#[actix_web::test]
async fn entities_that_expired_while_no_instance_ran_are_removed_at_the_start() {
    let scene = Scene::new().await.with(&["--ttl=1"]);
    let service = scene.start().await;
    service.drivers().place("d-1", json!({"lat": 0, "lon": 0})).await;
    drop(service);
    eventually(Duration::from_secs(5), "the snapshot has ended", async || {
        let there: bool = scene
            .redis
            .query(cmd("EXISTS").arg(scene.snapshot(Kind::Drivers, "d-1")))
            .await;
        (!there).then_some(())
    })
    .await;
    let mut plant = cmd("ZADD");
    plant.arg(scene.geo(Kind::Drivers));
    for n in 0..2_000 {
        let place = Point::new(1.0, f64::from(n) * 1e-3).unwrap();
        plant.arg(geohash52(place)).arg(format!("ghost-{n}"));
    }
    let planted: u64 = scene.redis.query(&plant).await;
    assert_eq!(planted, 2_000);

    let service = scene.start().await;
    assert!(service.drivers().within("bbox=-180,-90,180,90").await.ids().is_empty());
    no_ghosts(&scene).await;
}
