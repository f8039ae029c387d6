//! Every fault of Redis under steady pushes and queries, of which none may fail: the answers to clients, the report of health, and the
//! lines of the log.

use super::{NOTICE, SOON, here};
use crate::support::{Api, Proxy, Redis, Scene, ServiceProcess, Trouble, eventually};
use futures_util::{StreamExt, stream};
use redis::aio::MultiplexedConnection;
use redis::cmd;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    Frozen,
    BlackHoled,
    CutInMidAnswer,
    Full,
    ReadOnly,
    DiskFull,
    NoReplicas,
    OutOfClients,
    WrongPassword,
    NoRightToScripts,
    NoRightToACommand,
    /// A slow network: every command takes a third of the timeout.
    Slow,
    Flushed,
}

use Fault::{
    BlackHoled, CutInMidAnswer, DiskFull, Flushed, Frozen, Full, Killed, NoReplicas, NoRightToACommand,
    NoRightToScripts, OutOfClients, ReadOnly, Slow, WrongPassword,
};

/// A fault, with its code and a part of its reason in health; no reason if everything keeps working.
const MATRIX: [(Fault, Option<&str>, Option<&str>); 14] = [
    (Killed, None, Some("check that it runs")),
    (Frozen, None, Some("does not answer")),
    (BlackHoled, None, Some("does not answer")),
    (CutInMidAnswer, None, Some("Redis")),
    (Full, Some("OOM"), Some("maxmemory")),
    (ReadOnly, Some("READONLY"), Some("primary")),
    (DiskFull, Some("MISCONF"), Some("disk")),
    (NoReplicas, Some("NOREPLICAS"), Some("replicas")),
    (OutOfClients, Some("ERR"), Some("max number of clients reached")),
    (WrongPassword, Some("WRONGPASS"), Some("password")),
    (NoRightToScripts, Some("NOPERM"), Some("rights")),
    (NoRightToACommand, Some("NOPERM"), Some("rights")),
    (Slow, None, None),
    (Flushed, None, None),
];

/// The user of the service in Redis; the test itself is another.
const USER: &str = "fleetpulse";

async fn add_user(admin: &mut MultiplexedConnection) {
    let mut user = cmd("ACL");
    user.arg("SETUSER")
        .arg(USER)
        .arg(&["on", ">secret", "~*", "&*", "+@all"]);
    user.query_async::<()>(admin).await.unwrap();
}

/// A Redis, the proxy to it, and a service.
struct World {
    redis: Redis,
    /// Stays open during every fault.
    admin: MultiplexedConnection,
    proxy: Proxy,
    process: ServiceProcess,
}

impl World {
    async fn new(fault: Fault) -> Self {
        let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
        let mut admin = scene.redis.connect().await;
        add_user(&mut admin).await;
        let latency = Duration::from_millis(if fault == Slow { 50 } else { 0 });
        let proxy = Proxy::far_from(&scene.redis.url(), latency).await;
        let mut args = scene.args();
        args.push(format!(
            "--redis-url={}",
            proxy.url().replace("://", &format!("://{USER}:secret@"))
        ));
        let mut command = ServiceProcess::command(&args);
        command
            .env("RUST_LOG", "info")
            .env("LOG_FORMAT", "json")
            .stderr(Stdio::piped());
        let process = ServiceProcess::spawn(command).await;
        process.drivers().ready().await;
        let Scene { redis, .. } = scene;
        Self {
            redis,
            admin,
            proxy,
            process,
        }
    }

    async fn admin(&mut self, words: &[&str]) {
        let (name, rest) = words.split_first().unwrap();
        cmd(name).arg(rest).query_async::<()>(&mut self.admin).await.unwrap();
    }

    async fn strike(&mut self, fault: Fault) {
        match fault {
            Killed => self.redis.kill(),
            Frozen => self.redis.freeze(),
            BlackHoled => self.proxy.trouble(Trouble::BlackHole),
            CutInMidAnswer => self.proxy.trouble(Trouble::CutAnswers),
            Full => self.admin(&["CONFIG", "SET", "maxmemory", "1"]).await,
            ReadOnly => self.admin(&["REPLICAOF", "127.0.0.1", "1"]).await,
            DiskFull => {
                // There is a folder at the path of the snapshot.
                fs::create_dir(self.redis.folder().join("dump.rdb")).unwrap();
                self.admin(&["CONFIG", "SET", "save", "3600 1"]).await;
                self.admin(&["BGSAVE"]).await;
            }
            NoReplicas => self.admin(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await,
            OutOfClients => {
                self.admin(&["CONFIG", "SET", "maxclients", "1"]).await;
                self.admin(&["CLIENT", "KILL", "USER", USER]).await;
            }
            WrongPassword => {
                self.admin(&["ACL", "SETUSER", USER, "resetpass", ">other"]).await;
                self.admin(&["CLIENT", "KILL", "USER", USER]).await;
            }
            NoRightToScripts => self.admin(&["ACL", "SETUSER", USER, "-evalsha"]).await,
            NoRightToACommand => self.admin(&["ACL", "SETUSER", USER, "-zadd"]).await,
            Slow => {}
            Flushed => self.admin(&["FLUSHALL"]).await,
        }
    }

    async fn mend(&mut self, fault: Fault) {
        match fault {
            Killed => {
                self.redis.restart().await;
                self.admin = self.redis.connect().await;
                add_user(&mut self.admin).await;
            }
            Frozen => self.redis.thaw(),
            BlackHoled | CutInMidAnswer => self.proxy.mend(),
            Full => self.admin(&["CONFIG", "SET", "maxmemory", "0"]).await,
            ReadOnly => self.admin(&["REPLICAOF", "NO", "ONE"]).await,
            DiskFull => {
                self.admin(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"])
                    .await;
            }
            NoReplicas => self.admin(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await,
            OutOfClients => self.admin(&["CONFIG", "SET", "maxclients", "1000"]).await,
            WrongPassword => self.admin(&["ACL", "SETUSER", USER, "resetpass", ">secret"]).await,
            NoRightToScripts => self.admin(&["ACL", "SETUSER", USER, "+evalsha"]).await,
            NoRightToACommand => self.admin(&["ACL", "SETUSER", USER, "+zadd"]).await,
            Slow | Flushed => {}
        }
    }
}

/// How often each status was answered.
type Statuses = BTreeMap<u16, u32>;

/// Pushes and queries without a pause until `stop`.
async fn traffic(api: Api, ends: Arc<AtomicBool>) -> (Statuses, Statuses) {
    let (mut pushes, mut queries) = (Statuses::new(), Statuses::new());
    let mut n = 0;
    while !ends.load(Ordering::Relaxed) {
        n += 1;
        let answer = api.post_fix(&format!("d-{}", n % 4), here()).await;
        *pushes.entry(answer.status).or_default() += 1;
        let nearby = api.nearby("lat=40.7484&lon=-73.9857").await;
        *queries.entry(nearby.status).or_default() += 1;
    }
    (pushes, queries)
}

/// Waits until health reports this about Redis.
async fn reports(api: &Api, fault: Fault, code: Option<&str>, why: &str) {
    eventually(SOON, &format!("{fault:?}: {code:?} {why}"), async || {
        let health = api.get("/health").await.body;
        let redis = &health["parts"]["redis"];
        let is_reason = redis["why"].as_str().is_some_and(|said| said.contains(why));
        let is_seen = redis["state"] == "degraded" && redis["code"].as_str() == code && is_reason;
        (is_seen && health["status"] == "degraded").then_some(())
    })
    .await;
}

/// The lines of the log about Redis that cannot be used, with their codes.
fn warnings(log: &str) -> Vec<Option<String>> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| {
            let message = line["fields"]["message"].as_str().unwrap_or_default();
            message.starts_with("Redis cannot be used")
        })
        .map(|line| line["fields"]["code"].as_str().map(str::to_owned))
        .collect()
}

async fn survives(fault: Fault, code: Option<&str>, why: Option<&str>) {
    let began = Instant::now();
    let mut world = World::new(fault).await;
    let api = world.process.drivers();
    let ends = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn(traffic(api.clone(), Arc::clone(&ends)));

    world.strike(fault).await;
    if let Some(why) = why {
        reports(&api, fault, code, why).await;
        eventually(SOON, &format!("{fault:?}: positions are buffered"), async || {
            (api.post_fix("d-9", here()).await.status == 202).then_some(())
        })
        .await;
        for (path, status) in [("/health/ready", 200), ("/health/live", 200)] {
            assert_eq!(api.get(path).await.status, status, "{fault:?}: {path}");
        }
        eventually(SOON, &format!("{fault:?} is logged"), async || {
            let logged = warnings(&world.process.output());
            assert!(logged.len() <= 2, "{fault:?}: {logged:?}");
            (logged.last().map(Option::as_deref) == Some(code)).then_some(())
        })
        .await;
    }
    world.mend(fault).await;
    eventually(SOON, &format!("{fault:?}: well again"), async || {
        let taken = api.post_fix("d-9", here()).await.status == 204;
        (taken && api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;

    // Some faults end before many requests were sent.
    for _ in 0..20 {
        let answer = api.nearby("lat=40.7484&lon=-73.9857").await;
        assert_eq!(answer.status, 200, "{fault:?}: {answer:?}");
    }
    ends.store(true, Ordering::Relaxed);
    let (pushes, queries) = traffic.await.unwrap();
    assert!(
        pushes.keys().all(|status| [200, 202, 204].contains(status)),
        "{fault:?}: {pushes:?}"
    );
    assert_eq!(queries.keys().collect::<Vec<_>>(), [&200], "{fault:?}: {queries:?}");
    assert!(!pushes.is_empty(), "{fault:?}: nothing was pushed");
    let log = world.process.output();
    let lines = log.lines().filter(|line| line.contains("\"WARN\"")).count();
    let most = 20 + 4 * began.elapsed().as_secs();
    assert!(
        u64::try_from(lines).unwrap() < most,
        "{fault:?}: {lines} of {most}: {log}"
    );
    assert!(!log.contains("secret") && !log.contains("panicked"), "{fault:?}: {log}");
}

#[actix_web::test]
async fn every_fault_of_redis_is_survived_reported_and_logged_once() {
    stream::iter(MATRIX)
        .for_each_concurrent(3, |(fault, code, why)| survives(fault, code, why))
        .await;
}

#[actix_web::test]
async fn a_missing_database_is_reported_and_logged() {
    let scene = Scene::new().await.with(&[NOTICE]);
    let mut args = scene.args();
    args.push(format!("--redis-url={}/99", scene.redis.url()));
    let mut command = ServiceProcess::command(&args);
    command
        .env("RUST_LOG", "info")
        .env("LOG_FORMAT", "json")
        .stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    let api = process.drivers();
    reports(&api, Killed, Some("ERR"), "REDIS_DB").await;
    assert_eq!(api.post_fix("d-1", here()).await.status, 202);
    api.ready().await;
    eventually(SOON, "it is logged", async || {
        (warnings(&process.output()) == [Some("ERR".to_owned())]).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_instance_that_starts_while_redis_refuses_writes_is_ready_and_reports_why() {
    for (name, code) in [("maxmemory", "OOM"), ("min-replicas-to-write", "NOREPLICAS")] {
        let scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
        scene.redis.configure(name, "1").await;
        let service = scene.start().await;
        let api = service.drivers();
        api.ready().await;
        reports(&api, Full, Some(code), "").await;
        assert_eq!(api.post_fix("d-1", here()).await.status, 202);
        scene.redis.configure(name, "0").await;
        eventually(SOON, "well again", async || {
            (api.get("/health").await.body["status"] == "ok").then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_risky_configuration_of_redis_is_a_warning_in_health_and_log() {
    let scene = Scene::on(Redis::forgetful().await).with(&[NOTICE, "--max-entities=1"]);
    scene.redis.configure("maxmemory-policy", "allkeys-lru").await;
    let mut command = ServiceProcess::command(&scene.args());
    command
        .env("RUST_LOG", "info")
        .env("LOG_FORMAT", "json")
        .stderr(Stdio::piped());
    let process = ServiceProcess::spawn(command).await;
    let api = process.drivers();
    api.ready().await;
    api.place("d-1", here()).await;
    let names = ["live_index_full", "redis_evicts", "redis_not_persistent"];
    let warned = eventually(SOON, "all warnings are there", async || {
        let warnings = api.get("/health").await.body["warnings"].take();
        let all = names.iter().all(|name| warnings[name]["detail"].is_string());
        all.then_some(warnings)
    })
    .await;
    assert_eq!(warned.as_object().unwrap().len(), names.len(), "{warned}");
    let log = process.output();
    for name in names {
        assert_eq!(log.matches(&format!("\"warning\":\"{name}\"")).count(), 1, "{log}");
    }
    // Health stays ok for commands that work.
    eventually(SOON, "the status is ok", async || {
        (api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;
}
