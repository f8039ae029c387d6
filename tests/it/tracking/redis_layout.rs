//! The Redis key layout, for services that read it directly.

use crate::support::{Scene, now_ms};
use fleetpulse::geo::{MAX_LATITUDE_DEG, Point, distance_m, geohash52};
use fleetpulse::kind::Kind;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::{Client, cmd, pipe};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::timeout;

#[actix_web::test]
async fn our_score_equals_that_of_geoadd() {
    let scene = Scene::new().await;
    let key = scene.geo(Kind::Drivers);
    let mut connection = scene.redis.connect().await;
    let mut rng = StdRng::seed_from_u64(3);
    let mut points: Vec<Point> = (0..20_000)
        .map(|_| {
            let lat = rng.random_range(-MAX_LATITUDE_DEG..=MAX_LATITUDE_DEG);
            Point::new(lat, rng.random_range(-180.0..=180.0)).unwrap()
        })
        .collect();
    let hairs = |limit: f64| [limit, limit - 1e-9, limit - 1e-6, limit / 2.0, 1e-12, 0.0];
    for lat in hairs(MAX_LATITUDE_DEG) {
        for lon in hairs(180.0) {
            for (south, west) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
                points.push(Point::new(south * lat, west * lon).unwrap());
            }
        }
    }
    for points in points.chunks(1_000) {
        let (mut add, mut ask) = (cmd("GEOADD"), cmd("ZMSCORE"));
        add.arg(&key);
        ask.arg(&key);
        for (n, point) in points.iter().enumerate() {
            add.arg(point.lon()).arg(point.lat()).arg(n);
            ask.arg(n);
        }
        let (_, scores): (u64, Vec<f64>) = pipe()
            .add_command(add)
            .add_command(ask)
            .query_async(&mut connection)
            .await
            .unwrap();
        for (point, score) in points.iter().zip(scores) {
            #[expect(clippy::cast_precision_loss, reason = "a sorted set holds it as a double as well")]
            let ours = geohash52(*point) as f64;
            assert_eq!(ours.to_bits(), score.to_bits(), "{point:?}");
        }
    }
}

#[actix_web::test]
async fn a_fix_is_an_index_entry_and_a_snapshot_with_a_ttl() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let at = now_ms() - 40_000;
    let fix = json!({"lat": 40.748_433, "lon": -73.985_656, "timestamp": at, "speed": 3.5, "status": "busy"});
    service.drivers().place("d-1", fix).await;

    let snapshot = scene.snapshot(Kind::Drivers, "d-1");
    assert!(snapshot.ends_with("pos:{drivers:0}:d-1"), "{snapshot}");
    let text: String = scene.redis.query(cmd("GET").arg(&snapshot)).await;
    assert!(text.starts_with(&format!("{{\"ts_ms\":{at},")), "{text}");
    assert_eq!(
        text.find("\"id\""),
        Some(48),
        "after both times, at which the scripts look: {text}"
    );
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    let received_us = take_received_us(&mut stored);
    assert!((received_us / 1_000 - now_ms()).abs() < 10_000, "{text}");
    let expected = json!({"ts_ms": at, "id": "d-1", "lat": 40.748_433, "lon": -73.985_656, "speed_mps": 3.5});
    assert_eq!(stored, expected);
    let ends: i64 = scene.redis.query(cmd("PEXPIRETIME").arg(&snapshot)).await;
    assert_eq!(ends, at + 300_000);

    let geo = scene.geo(Kind::Drivers);
    let place: Vec<(f64, f64)> = scene.redis.query(cmd("GEOPOS").arg(&geo).arg("d-1")).await;
    let there = Point::new(place[0].1, place[0].0).unwrap();
    assert!(distance_m(there, Point::new(40.748_433, -73.985_656).unwrap()) < 0.5);
    let profile: HashMap<String, String> = scene.redis.query(cmd("HGETALL").arg(profile_key(&scene, "d-1"))).await;
    assert_eq!(profile["status"], "busy");

    // Removed from the index at once; the snapshot is replaced by a tombstone, which expires as well.
    service.drivers().forget("d-1").await;
    let rank: Option<u64> = scene.redis.query(cmd("ZRANK").arg(&geo).arg("d-1")).await;
    assert_eq!(rank, None);
    let text: String = scene.redis.query(cmd("GET").arg(&snapshot)).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["deleted"], true);
    let left_ms: i64 = scene.redis.query(cmd("PTTL").arg(&snapshot)).await;
    assert!((1..=300_000).contains(&left_ms), "{left_ms}");
}

fn take_received_us(snapshot: &mut Value) -> i64 {
    snapshot
        .as_object_mut()
        .unwrap()
        .remove("rx_us")
        .unwrap()
        .as_i64()
        .unwrap()
}

fn profile_key(scene: &Scene, id: &str) -> String {
    scene
        .keys()
        .profile(Kind::Drivers, 0, &fleetpulse::ids::Id::parse(id).unwrap())
}

#[actix_web::test]
async fn each_kind_has_its_own_ttl() {
    let scene = Scene::new().await.with(&["--ttl=100", "--ttl-users=20"]);
    let service = scene.start().await;
    for (kind, ttl_s) in [(Kind::Drivers, 100), (Kind::Users, 20)] {
        let at = now_ms();
        service
            .api(kind.as_str())
            .place("one", json!({"lat": 1, "lon": 1, "timestamp": at}))
            .await;
        let ends: i64 = scene
            .redis
            .query(cmd("PEXPIRETIME").arg(scene.snapshot(kind, "one")))
            .await;
        assert_eq!(ends, at + ttl_s * 1_000, "{kind}");
    }
}

#[actix_web::test]
async fn a_batch_is_one_message_with_all_that_changed() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let client = Client::open(scene.redis.url()).unwrap();
    let (mut sink, messages) = client.get_async_pubsub().await.unwrap().split();
    sink.subscribe(scene.keys().updates(Kind::Drivers, 0)).await.unwrap();
    let mut messages =
        messages.map(|message| serde_json::from_str::<Value>(&message.get_payload::<String>().unwrap()).unwrap());
    let mut next = async || timeout(Duration::from_secs(5), messages.next()).await.unwrap().unwrap();

    let at = now_ms();
    let batch = json!([
        {"id": "d-1", "lat": 1, "lon": 2, "timestamp": at, "status": "busy"},
        {"id": "d-2", "lat": 3, "lon": 4, "timestamp": at},
    ]);
    api.post_batch(&batch).await;
    let mut message = next().await;
    let received = [0, 1].map(|n| take_received_us(&mut message["fixes"][n]));
    assert_eq!(received[0], received[1], "they were received together");
    assert_eq!((&message["seq"], &message["partition"]), (&json!(1), &json!(0)));
    assert!((message["sent_ms"].as_i64().unwrap() - at).abs() < 10_000);
    assert_eq!(
        message["fixes"],
        json!([
            {"ts_ms": at, "id": "d-1", "lat": 1.0, "lon": 2.0},
            {"ts_ms": at, "id": "d-2", "lat": 3.0, "lon": 4.0},
        ])
    );
    assert_eq!(message["profiles"], json!(["d-1"]));

    // A stale fix publishes nothing, so the next message has the next number.
    api.post_fix("d-1", json!({"lat": 1, "lon": 2, "timestamp": at - 1}))
        .await;
    api.forget("d-2").await;
    let message = next().await;
    assert_eq!(
        (&message["seq"], &message["removed"][0]["id"]),
        (&json!(2), &json!("d-2"))
    );
    api.put_profile("d-1", json!({"status": "available"})).await;
    let message = next().await;
    assert_eq!((&message["seq"], &message["profiles"]), (&json!(3), &json!(["d-1"])));
}
