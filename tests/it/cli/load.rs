use super::{ended, fleetpulse, run};
use crate::support::{Answer, Scene, ServiceProcess};
use serde_json::Value;
use tokio::process::Command;

const BOX: &str = "bbox=-76,39,-72,42";

async fn everybody(service: &ServiceProcess) -> Answer {
    let answer = service.drivers().within(BOX).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[actix_web::test]
async fn a_load_without_any_success_fails() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    let words = [
        "load",
        "get",
        "--path=/nowhere",
        "--duration=100ms",
        "--url",
        service.url(),
    ];
    let failed = run(&words).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(failed.err, "fleetpulse: no request of get succeeded\n");
    assert!(
        failed.out.contains("404 ×"),
        "the report is there all the same: {failed:?}"
    );
    let words = [
        "load",
        "get",
        "--path=/health/live",
        "--duration=100ms",
        "--url",
        service.url(),
    ];
    let done = run(&words).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[actix_web::test]
async fn a_load_removes_what_it_has_made() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    for kind in [
        &["ingest"][..],
        &["batch", "--batch-size=7"],
        &["nearby", "--preload"],
        &["mix", "--baseline"],
    ] {
        let mut words = vec!["load"];
        words.extend_from_slice(kind);
        words.extend_from_slice(&[
            "--entities=60",
            "--duration=150ms",
            "--connections=4",
            "--url",
            service.url(),
        ]);
        let done = run(&words).await;
        assert_eq!(done.code, Some(0), "{words:?}: {done:?}");
        assert_eq!(everybody(&service).await.ids(), [""; 0], "{words:?}");
        words.push("--keep");
        let kept = run(&words).await;
        assert_eq!(kept.code, Some(0), "{words:?}: {kept:?}");
        let left = everybody(&service).await;
        assert!(left.ids().iter().all(|id| id.starts_with("load-")), "{left:?}");
        assert!(!left.ids().is_empty(), "{words:?}");
        for id in left.ids() {
            service.drivers().forget(id).await;
        }
    }
}

#[actix_web::test]
async fn a_load_on_a_terminal_shows_how_far_it_is() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    let binary = env!("CARGO_BIN_EXE_fleetpulse");
    let line = format!(
        "{binary} load get --path /health/live --duration 700ms --json --url {}",
        service.url()
    );
    // Runs the line on a terminal of its own.
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).kill_on_drop(true);
    let shown = ended(command).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains(" requests · "), "{shown:?}");
    // Not where it is no terminal: the report stands alone.
    let plain = ended(fleetpulse(&[
        "load",
        "get",
        "--path=/health/live",
        "--duration=300ms",
        "--json",
        "--url",
        service.url(),
    ]))
    .await;
    assert!(
        serde_json::from_str::<Value>(&plain.out).is_ok() && plain.err.is_empty(),
        "{plain:?}"
    );
}
