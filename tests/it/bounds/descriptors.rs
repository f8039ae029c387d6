//! A connection takes one descriptor, and some are reserved for Redis regardless of the number of connections.

use super::others_are_served;
use crate::support::{Api, Raw, Redis, Scene, ServiceProcess, eventually};
use redis::cmd;
use reqwest::Method;
use std::ffi::OsStr;
use std::fs;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(30);
const HEALTH: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

fn open_files(process: &ServiceProcess) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count()
}

/// Starts the binary with these limits on open files.
async fn limited<R: AsRef<Redis>>(scene: &Scene<R>, limits: &str) -> ServiceProcess {
    let inner = ServiceProcess::command(&scene.args());
    let inner = inner.as_std();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or(OsStr::new("")));
    }
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    process.drivers().ready().await;
    process
}

async fn connect(url: &str, count: usize) -> Vec<Raw> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(Raw::connect(url).await);
    }
    clients
}

#[actix_web::test]
async fn a_connection_takes_one_descriptor() {
    let scene = Scene::new().await;
    let process = scene.start_process().await;
    let before = open_files(&process);
    let mut clients = connect(process.url(), 200).await;
    for client in &mut clients {
        assert!(client.send(HEALTH).await.head().await.starts_with("HTTP/1.1 200 "));
    }
    let taken = open_files(&process) - before;
    assert!((180..220).contains(&taken), "{taken}");
    drop(clients);
    eventually(SOON, "they are free again", async || {
        (open_files(&process) < before + 20).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let scene = Scene::new().await;
    let process = limited(&scene, "ulimit -Sn 256; ulimit -Hn 1000").await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = files.split_whitespace().collect();
    assert_eq!(words[3..5], ["1000", "1000"], "{files}");
    eventually(SOON, "it warns", async || {
        process
            .output()
            .contains("the limit of 1000 open files leaves room for")
            .then_some(())
    })
    .await;
    let health = Api::new(process.url().to_owned(), "drivers").get("/health").await.body;
    assert!(health["warnings"]["few_descriptors"].is_object(), "{health}");
}

#[actix_web::test]
async fn with_few_descriptors_new_clients_are_refused_and_redis_is_still_reachable() {
    let scene = Scene::on(Redis::durable().await);
    let process = limited(&scene, "ulimit -n 300").await;
    let mut first = Raw::connect(process.url()).await;
    // More than there are descriptors. All are idle and stay.
    let mut idle = connect(process.url(), 400).await;
    let mut refused = 0;
    eventually(SOON, "new clients are refused", async || {
        for client in &mut idle[150..] {
            let answer = client.send(HEALTH).await.answered().await.unwrap_or_default();
            refused += usize::from(answer.starts_with("HTTP/1.1 503 "));
        }
        (refused > 0).then_some(())
    })
    .await;
    assert!(open_files(&process) < 290, "{}", open_files(&process));
    // The connection to Redis is opened again.
    let _: i64 = scene
        .redis
        .query(cmd("CLIENT").arg("KILL").arg("TYPE").arg("NORMAL"))
        .await;
    let fix = "{\"lat\":1,\"lon\":1}";
    let post = format!(
        "POST /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{fix}",
        fix.len()
    );
    eventually(SOON, "Redis is there", async || {
        first
            .send(&post)
            .await
            .head()
            .await
            .starts_with("HTTP/1.1 204 ")
            .then_some(())
    })
    .await;
    drop(idle);
    let api = Api::new(process.url().to_owned(), "drivers");
    eventually(SOON, "new clients are served", async || {
        let ready = api.request(Method::GET, "/health/ready").send().await;
        ready.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;
    others_are_served(&api).await;
}
