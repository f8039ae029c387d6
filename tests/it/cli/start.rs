use super::{ended, fleetpulse};
use crate::support::{Scene, ServiceProcess};
use std::process::Stdio;

#[actix_web::test]
async fn the_address_may_be_a_name() {
    let scene = Scene::new().await.with(&["--bind=localhost:0"]);
    let service = ServiceProcess::start(&scene.args()).await;
    let port = service
        .url()
        .strip_prefix("http://127.0.0.1:")
        .unwrap_or_else(|| panic!("{}", service.url()));
    assert_ne!(port, "0");
    for (bind, said) in [
        ("--bind=no-such-host.invalid:80", "the host is not found"),
        ("--bind=localhost", "not HOST:PORT"),
        ("--bind=localhost:70000", "not HOST:PORT"),
    ] {
        let refused = ended(fleetpulse(&["serve", "--check-settings", bind])).await;
        assert_eq!(refused.code, Some(2), "{bind}: {refused:?}");
        assert!(refused.err.contains(said), "{bind}: {refused:?}");
    }
}

#[actix_web::test]
async fn a_demo_fleet_has_at_most_10000_drivers() {
    for (drivers, code) in [("10000", 0), ("10001", 2), ("99999999", 2)] {
        let flag = format!("--demo-fleet={drivers}");
        let checked = ended(fleetpulse(&["serve", "--check-settings", &flag])).await;
        assert_eq!(checked.code, Some(code), "{drivers}: {checked:?}");
        let said = format!("invalid value '{drivers}' for '--demo-fleet <DRIVERS>': {drivers} is not in 0..=10000");
        assert_eq!(checked.err.contains(&said), code == 2, "{drivers}: {checked:?}");
    }
}

#[actix_web::test]
async fn an_invalid_log_filter_is_refused() {
    for (filter, said) in [
        ("debgu", "did you mean debug?"),
        ("info,fleetpulse=wran", "did you mean warn?"),
        ("info,fleetpulse=loud", "use a level"),
    ] {
        let mut command = fleetpulse(&["serve", "--check-settings"]);
        command.env("RUST_LOG", filter);
        let refused = ended(command).await;
        assert_eq!(refused.code, Some(2), "{filter}: {refused:?}");
        assert!(
            refused.err.contains(said) && refused.err.contains("--log-filter"),
            "{filter}: {refused:?}"
        );
    }
    for filter in [
        "",
        "warn",
        "INFO",
        "info,actix_server=warn,fleetpulse::jobs=debug",
        "fleetpulse=off",
        "fleetpulse",
    ] {
        let mut command = fleetpulse(&["serve", "--check-settings"]);
        command.env("RUST_LOG", filter);
        assert_eq!(ended(command).await.code, Some(0), "{filter}");
    }
}

#[actix_web::test]
async fn the_log_filter_is_a_flag_too() {
    let scene = Scene::new().await.with(&["--log-filter=info"]);
    let mut command = ServiceProcess::command(&scene.args());
    command.env_remove("RUST_LOG").stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    service.drivers().ready().await;
    service.request_stop();
    crate::support::eventually(std::time::Duration::from_secs(20), "the stop is logged", async || {
        service.output().contains("stopping").then_some(())
    })
    .await;
}
