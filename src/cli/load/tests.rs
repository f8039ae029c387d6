//! Each kind of load against a stub of the service.

use super::*;
use actix_web::rt::spawn;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use clap::Parser;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    load: LoadArgs,
}

/// Increases with every reading by a second of the service and half a second of its Redis.
static READINGS: AtomicU32 = AtomicU32::new(0);

async fn metrics() -> String {
    let seconds = f64::from(READINGS.fetch_add(1, Ordering::Relaxed));
    format!(
        "process_cpu_seconds_total {seconds}\nfleetpulse_redis_cpu_seconds_total {}\n",
        seconds / 2.0
    )
}

async fn single(body: Bytes) -> HttpResponse {
    let fix: Value = serde_json::from_slice(&body).unwrap();
    assert!(fix["lat"].is_f64() && fix["lon"].is_f64());
    HttpResponse::NoContent().finish()
}

async fn batch(body: Bytes) -> HttpResponse {
    let fixes: Vec<Value> = match body[0] {
        b'[' => serde_json::from_slice(&body).unwrap(),
        _ => body
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect(),
    };
    assert!(fixes.iter().all(|fix| fix["id"].as_str().unwrap().len() == 12));
    HttpResponse::Ok().json(json!({"accepted": fixes.len(), "stale": 0, "buffered": 0, "rejected": []}))
}

async fn nearby(query: web::Query<Value>) -> HttpResponse {
    assert!(query["lat"].is_string() && query["radius_m"] == "2000" && query["limit"] == "10");
    HttpResponse::Ok().json(json!({"results": []}))
}

async fn run_load(words: &str) -> LoadReport {
    let server = HttpServer::new(|| {
        App::new()
            .route("/metrics", web::get().to(metrics))
            .route("/v1/drivers/nearby", web::get().to(nearby))
            .route("/v1/drivers/positions", web::post().to(batch))
            .route("/v1/drivers/{id}/position", web::post().to(single))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    spawn(server.run());
    let words = format!("load {words} --url {url} --duration 200ms --entities 1000 --connections 4");
    let command = Command::parse_from(words.split_whitespace());
    measure(&command.load).await.unwrap().0
}

fn all_went_well(group: &GroupReport, status: u16) {
    assert!(group.operations > 0 && group.errors.is_empty(), "{group}");
    assert_eq!(group.statuses.get(&status), Some(&group.requests), "{group}");
}

#[actix_web::test]
async fn single_fixes_batches_and_queries_are_what_the_service_understands() {
    all_went_well(&run_load("ingest --threads 2").await.groups[0], 204);
    all_went_well(&run_load("nearby").await.groups[0], 200);
    for form in ["", "--ndjson", "--bare --preload"] {
        let report = run_load(&format!("batch --batch-size 50 {form}")).await;
        all_went_well(&report.groups[0], 200);
        assert_eq!(report.groups[0].operations, 50 * report.groups[0].requests);
    }
}

#[actix_web::test]
async fn a_mix_is_compared_with_the_writes_alone() {
    let report = run_load("mix --query-connections 2 --baseline").await;
    all_went_well(&report.groups[0], 204);
    all_went_well(&report.groups[1], 200);
    all_went_well(report.baseline.as_ref().unwrap(), 204);
    assert!(report.kept.unwrap() > 0.0);
    let (service, redis) = (
        report.cpu.service_us_per_op.unwrap(),
        report.cpu.redis_us_per_op.unwrap(),
    );
    assert!((service - 2.0 * redis).abs() < 1e-6);
    assert!(report.to_string().contains("of the rate alone"));
}

#[actix_web::test]
async fn errors_are_counted_by_status() {
    let report = run_load("get --path /nowhere").await;
    assert_eq!(report.groups[0].operations, 0);
    assert_eq!(report.groups[0].errors.get("status"), Some(&report.groups[0].requests));
    assert!(serde_json::to_string(&report).unwrap().contains("\"404\""));
}
