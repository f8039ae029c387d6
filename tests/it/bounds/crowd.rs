//! Many clients at once that are idle, slow, or do not read.

use super::{metric, others_are_served, place_fat};
use crate::support::{Raw, Scene, eventually};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const HEALTH: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
const HALF_A_HEAD: &str = "POST /v1/drivers/d-1/position HTTP/1.1\r\nHost: x\r\nContent-Le";
const MUCH: &str = "GET /v1/drivers/nearby?lat=60&lon=25&limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";

/// Resident memory of a process, bytes.
fn resident(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// Returns how many sockets this process may open for a test.
fn sockets() -> usize {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard
    } else {
        soft
    };
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[actix_web::test]
async fn idle_slow_and_unreading_clients_leave_others_served_and_memory_bounded() {
    let scene = Scene::new().await.with(&["--write-timeout=5000"]);
    let process = scene.start_process().await;
    let api = process.drivers();
    place_fat(&api, 100).await;
    others_are_served(&api).await;
    let before = resident(process.pid());
    // The requested number, or the most that the machine allows this process.
    let idle_count = sockets().saturating_sub(2_000).min(10_000);
    let mut idle = Vec::with_capacity(idle_count);
    for _ in 0..idle_count {
        let mut client = Raw::connect(process.url()).await;
        client.send(HEALTH).await;
        idle.push(client);
    }
    let mut slow = Vec::new();
    for _ in 0..1_000 {
        let mut client = Raw::connect(process.url()).await;
        client.send(HALF_A_HEAD).await;
        slow.push(client);
    }
    let mut unreading = Vec::new();
    for _ in 0..100 {
        let mut client = Raw::connect(process.url()).await;
        client.send(MUCH).await;
        unreading.push(client);
    }
    // While all of them are connected.
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begin = Instant::now();
        others_are_served(&api).await;
        slowest = slowest.max(begin.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let taken = resident(process.pid()).saturating_sub(before);
    // 128 MiB of answers, and some 24 KiB for each connection.
    let most = 160 * 1024 * 1024 + (idle_count + 1_100) * 28 * 1024;
    assert!(taken < most, "{taken} of {most}");
    eventually(SOON, "those that do not read are cut off", async || {
        (metric(&api, "fleetpulse_http_unsent_bytes").await == 0).then_some(())
    })
    .await;
    others_are_served(&api).await;
}
