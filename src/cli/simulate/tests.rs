//! Runs the fleet and a replay against a stub of the service that keeps the newest fix of each entity.

use super::*;
use crate::clock;
use actix_web::rt::spawn;
use actix_web::web::{self, Bytes, Data, Path as UrlPath};
use actix_web::{App, HttpResponse, HttpServer};
use chrono::DateTime;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future::pending;
use std::path::Path;
use std::sync::Mutex;
use tokio::time::sleep;

/// The requests that the stub has received.
#[derive(Debug, Default)]
struct Seen {
    newest: HashMap<String, Value>,
    fixes: u64,
    /// The number of batches that are answered with 503 at first.
    busy: u32,
    /// Times that the service would refuse.
    bad_times: u64,
    profiles: u64,
}

impl Seen {
    /// True if the fix is the newest of its entity.
    fn take(&mut self, id: &str, mut fix: Value) -> bool {
        let now = clock::now_ms();
        let time = fix["timestamp"].as_str().map_or(now, |text| {
            let time = DateTime::parse_from_rfc3339(text).unwrap();
            time.timestamp_millis()
        });
        fix["timestamp"] = time.into();
        self.fixes += 1;
        self.bad_times += u64::from(time > now + 60_000 || time < now - 300_000);
        self.profiles += u64::from(fix["vehicle_type"].is_string() && fix["capacity"].is_u64());
        let newer = self
            .newest
            .get(id)
            .is_none_or(|before| before["timestamp"].as_i64() < Some(time));
        if newer {
            self.newest.insert(id.to_owned(), fix);
        }
        newer
    }
}

async fn batch(seen: Data<Mutex<Seen>>, body: Bytes) -> HttpResponse {
    let mut seen = seen.lock().unwrap();
    if seen.busy > 0 {
        seen.busy -= 1;
        return HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "0"))
            .finish();
    }
    let (mut accepted, mut stale) = (0, 0);
    let fixes: Vec<Value> = serde_json::from_slice(&body).unwrap();
    for fix in fixes {
        let id = fix["id"].as_str().unwrap().to_owned();
        *(if seen.take(&id, fix) { &mut accepted } else { &mut stale }) += 1;
    }
    HttpResponse::Ok().json(json!({"accepted": accepted, "stale": stale, "buffered": 0, "rejected": []}))
}

async fn single(seen: Data<Mutex<Seen>>, path: UrlPath<(String, String)>, body: Bytes) -> HttpResponse {
    let fix = serde_json::from_slice(&body).unwrap();
    seen.lock().unwrap().take(&path.1, fix);
    HttpResponse::NoContent().finish()
}

async fn read(seen: Data<Mutex<Seen>>, path: UrlPath<(String, String)>) -> HttpResponse {
    match seen.lock().unwrap().newest.get(&path.1) {
        Some(fix) => {
            let time = DateTime::from_timestamp_millis(fix["timestamp"].as_i64().unwrap()).unwrap();
            HttpResponse::Ok().json(json!({
                "id": path.1,
                "lat": fix["lat"],
                "lon": fix["lon"],
                "age_ms": 0,
                "timestamp": time.to_rfc3339(),
            }))
        }
        None => HttpResponse::NotFound().finish(),
    }
}

/// Starts the stub; returns its URL.
fn service(seen: &Data<Mutex<Seen>>) -> String {
    let seen = seen.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(seen.clone())
            .route("/v1/{kind}/positions", web::post().to(batch))
            .route("/v1/{kind}/{id}/position", web::post().to(single))
            .route("/v1/{kind}/{id}/position", web::get().to(read))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    spawn(server.run());
    url
}

fn replay(url: String, file: &str) -> ReplayOptions {
    ReplayOptions {
        url,
        kind: Kind::Vehicles,
        path: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file),
        speed: 1.0,
        as_fast: true,
        batch: 100,
        connections: 3,
        verify: true,
        ttl: Duration::from_mins(5),
        timeout: Duration::from_secs(5),
        progress: false,
    }
}

#[actix_web::test]
async fn a_replay_ends_with_the_last_position_of_every_entity() {
    let seen = Data::new(Mutex::new(Seen {
        busy: 2,
        ..Seen::default()
    }));
    let url = service(&seen);
    let summary = run_replay(replay(url.clone(), "aircraft_1k.csv"), pending())
        .await
        .unwrap();
    assert_eq!(
        (summary.sent, summary.accepted, summary.retries),
        (948, 948, 2),
        "{summary}"
    );
    let verified = summary.verified.unwrap();
    assert_eq!((verified.right, verified.wrong), (6, 0));
    assert_eq!(seen.lock().unwrap().bad_times, 0);

    // A position that another client has changed is reported.
    for fix in seen.lock().unwrap().newest.values_mut() {
        fix["lat"] = json!(0.0);
        fix["timestamp"] = json!(clock::now_ms() + 60_000);
    }
    let summary = run_replay(replay(url, "aircraft_1k.csv"), pending()).await.unwrap();
    assert_eq!(summary.stale, 948);
    assert_eq!(summary.verified.unwrap().wrong, 6);
}

#[actix_web::test]
async fn rows_without_a_time_are_sent_without_one() {
    let seen = Data::new(Mutex::new(Seen::default()));
    let summary = run_replay(replay(service(&seen), "nyc_pickups_5k.csv.gz"), pending())
        .await
        .unwrap();
    assert_eq!(summary.accepted, 5000);
    assert_eq!(summary.verified.unwrap().right, 5000);
}

#[actix_web::test]
async fn a_replay_at_speed_sends_each_fix_when_it_is_due() {
    let seen = Data::new(Mutex::new(Seen::default()));
    let options = ReplayOptions {
        as_fast: false,
        // The recording's 38,750 s in half a second.
        speed: 77_500.0,
        ..replay(service(&seen), "aircraft_1k.csv")
    };
    let summary = run_replay(options, pending()).await.unwrap();
    assert!((0.5..3.0).contains(&summary.seconds), "{summary}");
    assert_eq!(summary.verified.unwrap().right, 6);
    assert_eq!(seen.lock().unwrap().bad_times, 0);
}

#[actix_web::test]
async fn a_fleet_pushes_each_vehicle_once_an_interval_and_its_profile_first() {
    for batch in [1, 10] {
        let seen = Data::new(Mutex::new(Seen::default()));
        let options = FleetOptions {
            url: service(&seen),
            vehicles: 50,
            interval: Duration::from_millis(200),
            duration: Some(Duration::from_millis(900)),
            batch,
            ..FleetOptions::default()
        };
        let summary = run_fleet(options, pending()).await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!((seen.newest.len(), seen.profiles, seen.bad_times), (50, 50, 0));
        // Four whole rounds and a part of the fifth; a busy machine may skip some.
        assert!((100..=260).contains(&summary.sent), "{summary}");
        assert!(summary.errors.is_empty(), "{summary}");
    }
}

#[actix_web::test]
async fn a_fleet_without_a_pace_ends_when_it_is_stopped() {
    let seen = Data::new(Mutex::new(Seen::default()));
    let options = FleetOptions {
        url: service(&seen),
        as_fast: true,
        batch: 25,
        ..FleetOptions::default()
    };
    let enough = async {
        while seen.lock().unwrap().fixes < 2000 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let summary = run_fleet(options, enough).await.unwrap();
    assert!(summary.accepted + summary.stale >= 1900, "{summary}");
}

#[actix_web::test]
async fn a_service_that_is_not_there_is_an_error() {
    let options = FleetOptions {
        url: "http://127.0.0.1:1".to_owned(),
        ..FleetOptions::default()
    };
    assert!(matches!(
        run_fleet(options, pending()).await,
        Err(SimulateError::Unreachable { .. })
    ));
}
