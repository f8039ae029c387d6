use super::{ended, fleetpulse};
use crate::support::{Folder, Scene, ServiceProcess};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn file(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.path().join("fleetpulse.toml");
    fs::write(&path, text).unwrap();
    path
}

fn flag(path: &Path) -> String {
    format!("--config={}", path.display())
}

/// The name of the only policy of an instance that is started with these flags and this variable.
async fn policy(scene: &Scene, flags: &[String], variable: Option<&str>) -> Value {
    let mut args = scene.args();
    args.extend_from_slice(flags);
    let mut command = ServiceProcess::command(&args);
    if let Some(value) = variable {
        command.env("LIMITS_POLICIES", value);
    }
    let service = ServiceProcess::spawn(command).await;
    let policies = service.drivers().get("/v1/limits/policies").await.body["policies"].take();
    assert_eq!(policies.as_array().map(Vec::len), Some(1), "{policies}");
    policies[0]["name"].clone()
}

#[actix_web::test]
async fn a_flag_overrides_a_variable_and_a_variable_overrides_the_file() {
    let (scene, folder) = (Scene::new().await, Folder::new());
    let path = file(
        &folder,
        "# Comments are allowed.\nLIMITS_POLICIES = \"file=gcra:1/1s\"\nHTTP_LAME_DUCK_S = 1\nRUST_LOG = \"warn\"\n",
    );
    let of_file = [flag(&path)];
    let (variable, with_flag) = (
        "variable=gcra:1/1s",
        [flag(&path), "--limits=flag=gcra:1/1s".to_owned()],
    );
    assert_eq!(policy(&scene, &of_file, None).await, "file");
    assert_eq!(policy(&scene, &of_file, Some(variable)).await, "variable");
    assert_eq!(policy(&scene, &with_flag, Some(variable)).await, "flag");
}

#[actix_web::test]
async fn a_value_may_be_a_string_a_number_or_a_boolean() {
    let folder = Folder::new();
    let path = file(
        &folder,
        "REDIS_HOST = \"localhost\"\nREDIS_TLS = false\nHTTP_WORKERS = 2\n",
    );
    let accepted = ended(fleetpulse(&["serve", "--check-settings", &flag(&path)])).await;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
}

#[actix_web::test]
async fn an_invalid_file_is_refused_with_its_name() {
    let folder = Folder::new();
    for (text, said) in [
        ("HTTP_WROKERS = 2", "\"HTTP_WROKERS\": did you mean HTTP_WORKERS?"),
        ("FLEETPULSE_CONFIG = \"x\"", "unknown name \"FLEETPULSE_CONFIG\""),
        ("[http]\nbind = \"x\"", "unknown name \"http\""),
        ("HTTP_WORKERS = 0", "HTTP_WORKERS: invalid value '0'"),
        (
            "HTTP_WORKERS = [1]",
            "HTTP_WORKERS: must be a string, a number, true or false",
        ),
        ("RUST_LOG = \"debgu\"", "did you mean debug?"),
        ("HTTP_WORKERS = 1\nHTTP_WORKERS = 2", "is not TOML"),
        (
            "CACHE_LISTING_TOKEN = \"secret\"",
            "CACHE_LISTING_TOKEN: the value is not valid",
        ),
    ] {
        let path = file(&folder, text);
        let refused = ended(fleetpulse(&["serve", "--check-settings", &flag(&path)])).await;
        assert_eq!(refused.code, Some(2), "{text}: {refused:?}");
        assert!(refused.err.contains(said), "{text}: {refused:?}");
        assert!(!refused.err.contains("secret"), "{refused:?}");
        assert!(refused.err.contains("fleetpulse.toml"), "{refused:?}");
    }
    let absent = ended(fleetpulse(&["serve", "--check-settings", "--config=/nowhere.toml"])).await;
    assert_eq!(absent.code, Some(2), "{absent:?}");
    assert!(
        absent.err.contains("/nowhere.toml cannot be read: No such file"),
        "{absent:?}"
    );
}

#[actix_web::test]
async fn the_settings_are_checked_without_a_start() {
    let folder = Folder::new();
    // A port in use and an unavailable Redis are not detected.
    let words = [
        "serve",
        "--check-settings",
        "--bind=192.0.2.1:1",
        "--redis-url=redis://192.0.2.1",
    ];
    let valid = ended(fleetpulse(&words)).await;
    assert_eq!(
        (valid.code, &*valid.out),
        (Some(0), "the settings are valid\n"),
        "{valid:?}"
    );
    let path = file(&folder, "LIMIT_REQUESTS = \"/v1=none\"");
    let mut command = fleetpulse(&["serve", "--check-settings"]);
    command.env("FLEETPULSE_CONFIG", &path);
    let refused = ended(command).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("LIMIT_REQUESTS names a policy"), "{refused:?}");
}
