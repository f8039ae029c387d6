use super::{Ended, ended, fleetpulse, run};
use crate::support::{Answer, Scene, ServiceProcess, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const BOX: &str = "bbox=-76,39,-72,42";

async fn all_entities(service: &ServiceProcess) -> Answer {
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
async fn a_load_removes_its_data() {
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
        assert_eq!(all_entities(&service).await.ids(), [""; 0], "{words:?}");
        words.push("--keep");
        let kept = run(&words).await;
        assert_eq!(kept.code, Some(0), "{words:?}: {kept:?}");
        let left = all_entities(&service).await;
        assert!(left.ids().iter().all(|id| id.starts_with("load-")), "{left:?}");
        assert!(!left.ids().is_empty(), "{words:?}");
        for id in left.ids() {
            service.drivers().forget(id).await;
        }
    }
}

#[actix_web::test]
async fn an_interrupted_load_removes_its_data() {
    let scene = Scene::new().await;
    let service = scene.start_process().await;
    let words = [
        "load",
        "ingest",
        "--entities=60",
        "--duration=10m",
        "--url",
        service.url(),
    ];
    let mut command = fleetpulse(&words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually(Duration::from_secs(20), "the load has made something", async || {
        (!all_entities(&service).await.ids().is_empty()).then_some(())
    })
    .await;
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let done = timeout(Duration::from_secs(30), child.wait_with_output()).await;
    let done = Ended::from(done.expect("it ends").unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("ingest"),
        "what was measured until then is reported: {done:?}"
    );
    assert_eq!(all_entities(&service).await.ids(), [""; 0]);
}

#[actix_web::test]
async fn a_load_on_a_terminal_shows_its_progress() {
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
    // Without a terminal there is only the report.
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
