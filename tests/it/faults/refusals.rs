//! Settings and data with which the service does not start, and its messages.

use crate::support::{Folder, Scene, ServiceProcess};
use redis::cmd;
use std::fs;
use std::net::TcpListener;

/// Returns the output of a service that must not start with these flags.
async fn refusal(args: &[&str]) -> String {
    let output = ServiceProcess::refusal(args).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[actix_web::test]
async fn two_addresses_of_redis() {
    let said = refusal(&["--redis-url=redis://127.0.0.1:1", "--redis-host=localhost"]).await;
    assert!(said.contains("REDIS_URL or REDIS_HOST, not both"), "{said}");
}

#[actix_web::test]
async fn settings_that_would_be_ignored() {
    let url = "--redis-url=redis://:hidden-url@127.0.0.1:1";
    let cases: [(&[&str], &str); 6] = [
        (
            &[url, "--redis-password=hidden-password"],
            "REDIS_URL and REDIS_PASSWORD are both set",
        ),
        (&[url, "--redis-db=1"], "REDIS_URL and REDIS_DB are both set"),
        (&[url, "--redis-tls=true"], "REDIS_URL and REDIS_TLS are both set"),
        (
            &["--redis-password=hidden-password"],
            "REDIS_PASSWORD is set without REDIS_HOST",
        ),
        (
            &[url, "--redis-append-fsync=always"],
            "REDIS_APPEND_FSYNC is for the embedded Redis",
        ),
        (
            &[url, "--caller-key-header=x-key"],
            "CALLER_KEY_HEADER is set without TRUSTED_PROXIES",
        ),
    ];
    for (flags, expected) in cases {
        let said = refusal(flags).await;
        assert!(said.contains(expected) && !said.contains("hidden"), "{flags:?}: {said}");
    }
}

#[actix_web::test]
async fn an_invalid_secret_is_not_shown() {
    let said = refusal(&["--cache-listing-token=hidden-word"]).await;
    assert!(
        said.contains("--cache-listing-token") && said.contains("22 characters"),
        "{said}"
    );
    assert!(!said.contains("hidden"), "{said}");
}

#[actix_web::test]
async fn an_invalid_url() {
    for url in ["localhost:6379", "https://x", "redis:", "redis://x:port"] {
        let said = refusal(&[&format!("--redis-url={url}")]).await;
        assert!(said.contains("REDIS_URL is not a redis://"), "{url}: {said}");
    }
}

#[actix_web::test]
async fn settings_out_of_range() {
    for (flag, named) in [
        ("--ttl=0", "--ttl"),
        ("--ttl=604801", "--ttl"),
        ("--ttl=soon", "--ttl"),
        ("--redis-timeout=0", "--redis-timeout"),
        ("--request-timeout=999", "--request-timeout"),
        ("--bind=localhost", "--bind"),
        ("--workers=0", "--workers"),
    ] {
        let said = refusal(&[flag]).await;
        assert!(said.contains(named), "{flag}: {said}");
    }
}

#[actix_web::test]
async fn data_with_another_number_of_partitions() {
    let scene = Scene::new().await;
    let layout = scene.keys().layout();
    scene.redis.query::<()>(cmd("SET").arg(&layout).arg(64)).await;
    let args = scene.args();
    let said = refusal(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(
        said.contains("laid out in 64 partitions") && said.contains("set to 1"),
        "{said}"
    );
    assert_eq!(scene.redis.query::<u16>(cmd("GET").arg(&layout)).await, 64);
}

#[actix_web::test]
async fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let scene = Scene::new().await;
    let mut args = scene.args();
    args.push(format!("--bind={address}"));
    let said = refusal(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[actix_web::test]
async fn an_invalid_redis_server_or_data_folder() {
    let folder = Folder::new();
    let said = refusal(&[&folder.flag(), "--redis-server-bin=/bin/true"]).await;
    assert!(said.contains("/bin/true cannot be used as the Redis server"), "{said}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refusal(&[&format!("--data-dir={}/x", file.display())]).await;
    assert!(said.contains("file/x"), "{said}");
}
