use super::{ended, fleetpulse, run};
use crate::support::{Folder, Scene};
use fleetpulse::app;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use tokio::process::Command;

/// An address without a listener.
fn unreachable_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[actix_web::test]
async fn an_error_states_its_cause_once() {
    let url = unreachable_url();
    for words in [
        &["check", "--url", &url][..],
        &["simulate", "--url", &url],
        &["load", "nearby", "--url", &url],
        &["load", "get", "--path=/", "--url", &url],
    ] {
        let failed = run(words).await;
        assert_eq!(failed.code, Some(1), "{words:?}: {failed:?}");
        assert_eq!(
            failed.err.matches("Connection refused").count(),
            1,
            "{words:?}: {failed:?}"
        );
        assert_eq!(failed.err.lines().count(), 1, "{words:?}: {failed:?}");
    }
    let folder = Folder::new();
    let absent = folder.path().join("absent.csv");
    let replay = run(&["simulate", "--replay", absent.to_str().unwrap(), "--url", &url]).await;
    assert_eq!(replay.err.matches("No such file").count(), 1, "{replay:?}");
}

#[actix_web::test]
async fn the_exit_status_shows_whether_anything_was_started() {
    for (words, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["serv"], 2),
        (&["serve", "--workers=0"], 2),
        (&["load", "nearby", "--duration=fast"], 2),
        (&["check", "--url=gopher://x"], 1),
    ] {
        let ended = run(words).await;
        assert_eq!(ended.code, Some(code), "{words:?}: {ended:?}");
    }
    let help = run(&["--help"]).await.out;
    let manual = include_str!("../../../docs/operations.md");
    for code in ["0", "1", "2"] {
        assert!(help.contains(&format!("\n  {code}  ")), "{help}");
        assert!(manual.contains(&format!("| `{code}` |")), "the manual explains {code}");
    }
}

#[actix_web::test]
async fn flags_are_listed_under_their_headings() {
    let help = run(&["serve", "--help"]).await.out;
    // A heading begins a line and ends with a colon; the flags below it are indented.
    let mut heading = "";
    let mut found = Vec::new();
    for line in help.lines() {
        if line.ends_with(':') && !line.starts_with(' ') {
            heading = line.trim_end_matches(':');
        }
        for flag in [
            "--demo-fleet",
            "--config",
            "--check-settings",
            "--log-format",
            "--log-filter",
            "--bind",
            "--data-dir",
        ] {
            if line.trim_start().starts_with(flag) {
                found.push((flag, heading));
            }
        }
    }
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("--bind", "HTTP"),
            ("--check-settings", "Options"),
            ("--config", "Options"),
            ("--data-dir", "Redis"),
            ("--demo-fleet", "Options"),
            ("--log-filter", "Log"),
            ("--log-format", "Log"),
        ]
    );
}

#[actix_web::test]
async fn the_printed_document_is_the_served_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let served = service.drivers().get("/openapi.json").await.body;
    let printed = run(&["openapi"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed.out).unwrap(), served);
}

#[actix_web::test]
async fn the_routes_are_printed_with_their_operations_and_scopes() {
    let printed = run(&["routes"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let lines: Vec<Vec<&str>> = printed
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), app::routes().len() + 1, "{}", printed.out);
    for expected in [
        ["METHOD", "PATH", "OPERATION", "SCOPE", "SUMMARY"],
        ["POST", "/v1/locks/{name}", "acquire_lock", "locks", "Acquire"],
        ["GET", "/v1/{kind}/nearby", "find_nearby", "dispatch", "Find"],
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(&expected)),
            "{expected:?} in\n{}",
            printed.out
        );
    }
    assert!(
        lines.contains(&vec!["GET", "/openapi.json", "-", "public"]),
        "{}",
        printed.out
    );
}

#[actix_web::test]
async fn completions_exist_for_each_shell() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).await;
        assert_eq!(script.code, Some(0), "{shell}: {script:?}");
        for word in ["check-settings", "simulate", "completions"] {
            assert!(script.out.contains(word), "{shell} completes no {word}");
        }
        if shell == "bash" {
            let path = folder.path().join("completions");
            fs::write(&path, script.out).unwrap();
            let mut command = Command::new("bash");
            command.arg("-n").arg(&path);
            assert_eq!(ended(command).await.code, Some(0), "bash reads its script");
        }
    }
    assert_eq!(ended(fleetpulse(&["completions", "cmd"])).await.code, Some(2));
}
