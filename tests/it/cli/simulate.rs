use super::{ended, fleetpulse};
use crate::support::{Scene, ServiceProcess, eventually};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Longer than the simulation, so that a request is in progress at its end.
const ANSWERS_AFTER: Duration = Duration::from_millis(500);

/// A service that stores every position, slowly; returns its address and how many it has stored.
async fn slow_service() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stored = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&stored);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                while client.read(&mut request).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, Ordering::Relaxed);
                    // The delay is that of the service; the test does not wait for anything.
                    sleep(ANSWERS_AFTER).await;
                    if client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, stored)
}

#[actix_web::test]
async fn every_sent_position_is_counted_by_its_outcome() {
    let (url, stored) = slow_service().await;
    let words = [
        "simulate",
        "--vehicles=3",
        "--connections=3",
        "--interval=20ms",
        "--duration=700ms",
        "--json",
        "--url",
        &url,
    ];
    let done = ended(fleetpulse(&words)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let summary: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(summary["sent"], stored.load(Ordering::Relaxed), "{summary}");
    assert_eq!(summary["accepted"], summary["sent"], "{summary}");
}

#[actix_web::test]
async fn the_demo_fleet_and_a_simulated_one_are_different_entities() {
    let scene = Scene::new().await.with(&["--demo-fleet=3"]);
    let service = ServiceProcess::start(&scene.args()).await;
    let words = [
        "simulate",
        "--vehicles=3",
        "--as-fast",
        "--duration=300ms",
        "--url",
        service.url(),
    ];
    let done = ended(fleetpulse(&words)).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let ids = eventually(Duration::from_secs(20), "both fleets are there", async || {
        let all = service.drivers().within("bbox=-76,39,-72,42").await;
        let ids: BTreeSet<String> = all.ids().into_iter().map(str::to_owned).collect();
        (ids.len() == 6).then_some(ids)
    });
    let (demo, simulated): (Vec<_>, Vec<_>) = ids.await.into_iter().partition(|id| id.starts_with("demo-"));
    assert_eq!(demo, ["demo-driver-00000", "demo-driver-00001", "demo-driver-00002"]);
    assert_eq!(simulated, ["driver-00000", "driver-00001", "driver-00002"]);
}
