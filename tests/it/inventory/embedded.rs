//! The embedded Redis, killed in the middle: what was acknowledged stands.

use super::Stock;
use crate::support::{Folder, ServiceProcess, eventually};
use nix::sys::signal::{Signal, kill};
use std::time::Duration;

#[actix_web::test]
async fn what_was_acknowledged_outlives_a_kill_of_redis_and_of_the_service() {
    let folder = Folder::new();
    let args = [folder.flag(), "--redis-append-fsync=always".to_owned()];
    let service = ServiceProcess::start(&args).await;
    let stock = Stock(service.drivers());
    stock.has("seat", 1_000).await;
    let mut confirmed = Vec::new();
    for n in 0..60 {
        if n == 30 {
            kill(folder.processes()[0], Signal::SIGKILL).unwrap();
        }
        let id = format!("order-{n}");
        let body = serde_json::json!({"quantity": 2, "ttl_s": 600, "id": id});
        // Asked again until it is answered; the id makes that harmless.
        eventually(Duration::from_secs(20), "it is held and confirmed", async || {
            let held = stock.reserve("seat", body.clone()).await;
            if held.status != 201 {
                assert!(held.status == 503 || held.status == 409, "{held:?}");
                return None;
            }
            let done = stock.to(&id, "confirm").await;
            assert!(done.status == 200 || done.status == 503, "{done:?}");
            (done.status == 200).then_some(())
        })
        .await;
        confirmed.push(id);
    }
    assert_eq!(stock.counts("seat").await, (1_000, 120, 880));
    service.kill().await;

    let again = ServiceProcess::start(&args).await;
    let stock = Stock(again.drivers());
    assert_eq!(stock.counts("seat").await, (1_000, 120, 880));
    for id in &confirmed {
        assert_eq!(stock.state(id).await, "confirmed", "{id}");
    }
    assert!(again.terminate().await.success());
}
