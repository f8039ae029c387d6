//! Tests of the embedded Redis with a real server. They fail on a machine without `redis-server`; none is skipped.

use super::{Embedded, EmbeddedError, EmbeddedSettings, Phase};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::aio::MultiplexedConnection;
use redis::{Client, cmd};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// The data folder of one test, removed at its end.
struct DataDir(PathBuf);

impl DataDir {
    fn new() -> Self {
        Self(env::temp_dir().join(format!("fleetpulse-embedded-{}", Uuid::new_v4())))
    }

    fn settings(&self) -> EmbeddedSettings {
        settings(&self.0)
    }

    async fn start(&self) -> Embedded {
        start(&self.settings()).await
    }
}

fn settings(data_dir: &Path) -> EmbeddedSettings {
    EmbeddedSettings {
        binary: env::var_os("REDIS_SERVER_BIN").map(PathBuf::from),
        ..EmbeddedSettings::new(data_dir)
    }
}

/// Panics with the message of the error, which says how to install a server.
async fn start(settings: &EmbeddedSettings) -> Embedded {
    match Embedded::start(settings).await {
        Ok(embedded) => embedded,
        Err(error) => panic!("{error}"),
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn connect(embedded: &Embedded) -> MultiplexedConnection {
    let client = Client::open(embedded.connection_info()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

fn pid(embedded: &Embedded) -> u32 {
    match embedded.events().borrow().phase {
        Phase::Running { pid } => pid,
        other => panic!("not running but {other:?}"),
    }
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// Waits until a process has exited. A zombie counts as exited: its new parent may take a moment to reap it.
async fn exited(pid: u32) {
    let exited = async {
        while alive(pid) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), exited)
        .await
        .expect("the server exits");
}

fn alive(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(") ").next().unwrap().starts_with('Z'),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    }
}

/// Runs the same test in another process, which owns the data folder. Returns the process when its server has stored a key.
fn owner_process(test: &str, data_dir: &DataDir) -> (process::Child, u32) {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("store::embedded::tests::{test}"), "--nocapture"])
        .env("FLEETPULSE_TEST_OWNS", &data_dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let server = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("server pid ").and_then(|(_, pid)| pid.parse().ok()))
        .expect("the owner process starts its server");
    (owner, server)
}

/// Owns the data folder if this process was started by [`owner_process`]; then it never returns.
async fn own_if_requested() {
    let Some(folder) = env::var_os("FLEETPULSE_TEST_OWNS") else {
        return;
    };
    let embedded = start(&settings(Path::new(&folder))).await;
    let mut redis = connect(&embedded).await;
    cmd("SET").arg("kept").arg("yes").exec_async(&mut redis).await.unwrap();
    #[expect(clippy::print_stdout, reason = "the parent process reads it")]
    {
        println!("\nserver pid {}", pid(&embedded));
    }
    thread::sleep(Duration::from_mins(2));
    process::exit(1);
}

async fn kept(embedded: &Embedded) -> Option<String> {
    cmd("GET")
        .arg("kept")
        .query_async(&mut connect(embedded).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn only_the_owner_can_connect_and_stop_ends_the_server() {
    let data_dir = DataDir::new();
    let embedded = data_dir.start().await;
    let server = pid(&embedded);
    let events = embedded.events();
    cmd("PING").exec_async(&mut connect(&embedded).await).await.unwrap();

    let password = fs::read_to_string(embedded.folder().join("password")).unwrap();
    assert_eq!(password.len(), 64);
    for public in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{server}/{public}")).unwrap();
        assert!(!String::from_utf8_lossy(&shown).contains(&password), "{public}");
    }
    assert!(!format!("{embedded:?}").contains(&password));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(embedded.folder()), 0o700);
    assert_eq!(mode(&embedded.folder().join("password")), 0o600);
    assert_eq!(mode(&embedded.folder().join("redis.sock")), 0o600);
    let stranger = Client::open(format!("unix://{}", embedded.folder().join("redis.sock").display())).unwrap();
    let mut stranger = stranger.get_multiplexed_async_connection().await.unwrap();
    let refused = cmd("PING").exec_async(&mut stranger).await.unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"));

    embedded.stop().await;
    assert!(!alive(server));
    assert_eq!(events.borrow().phase, Phase::Stopped);
}

#[tokio::test]
async fn a_killed_server_is_restarted_with_all_acknowledged_writes() {
    let data_dir = DataDir::new();
    let embedded = data_dir.start().await;
    let (first, mut events) = (pid(&embedded), embedded.events());
    let mut redis = connect(&embedded).await;
    // Longer than a second, so that it includes a sync: with `appendfsync everysec` this test sometimes loses hundreds of writes.
    let kill_it = async {
        sleep(Duration::from_millis(1300)).await;
        signal(first, Signal::SIGKILL);
    };
    let write = async {
        let mut acknowledged = 0;
        while cmd("SET").arg(acknowledged).arg(1).exec_async(&mut redis).await.is_ok() {
            acknowledged += 1;
        }
        acknowledged
    };
    let (acknowledged, ()): (usize, ()) = tokio::join!(write, kill_it);

    let again = |phase: Phase| matches!(phase, Phase::Running { pid } if pid != first);
    let status = timeout(Duration::from_secs(20), events.wait_for(|status| again(status.phase)));
    assert_eq!(status.await.unwrap().unwrap().restarts, 1);
    let kept: usize = cmd("DBSIZE").query_async(&mut connect(&embedded).await).await.unwrap();
    assert!(kept >= acknowledged && acknowledged > 0, "{kept} of {acknowledged}");
    embedded.stop().await;
}

#[tokio::test]
async fn a_stop_rewrites_a_long_append_only_file() {
    let data_dir = DataDir::new();
    let embedded = data_dir.start().await;
    let mut redis = connect(&embedded).await;
    let value = "x".repeat(1024 * 1024);
    for _ in 0..40 {
        cmd("SET").arg("kept").arg(&value).exec_async(&mut redis).await.unwrap();
    }
    let files = embedded.folder().join("appendonlydir");
    let size = || {
        fs::read_dir(&files)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum::<u64>()
    };
    assert!(size() > 40 * 1024 * 1024);
    embedded.stop().await;
    assert!(size() < 2 * 1024 * 1024, "{} bytes", size());

    let embedded = data_dir.start().await;
    assert_eq!(kept(&embedded).await, Some(value));
    embedded.stop().await;
}

#[tokio::test]
async fn a_server_whose_owner_was_killed_is_stopped_by_the_next_start() {
    own_if_requested().await;
    let data_dir = DataDir::new();
    let (mut owner, orphan) = owner_process(
        "a_server_whose_owner_was_killed_is_stopped_by_the_next_start",
        &data_dir,
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(alive(orphan), "the server outlives its owner");

    let embedded = data_dir.start().await;
    exited(orphan).await;
    assert_ne!(pid(&embedded), orphan);
    assert_eq!(kept(&embedded).await.as_deref(), Some("yes"));
    embedded.stop().await;
}

#[tokio::test]
async fn a_frozen_orphan_is_killed_and_another_process_in_its_folder_is_not() {
    own_if_requested().await;
    let data_dir = DataDir::new();
    let (mut owner, orphan) = owner_process(
        "a_frozen_orphan_is_killed_and_another_process_in_its_folder_is_not",
        &data_dir,
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Only now, because the kernel continues the stopped processes of a group whose parent exits.
    signal(orphan, Signal::SIGSTOP);
    let mut other = Command::new("sleep")
        .arg("100")
        .current_dir(data_dir.0.join("redis"))
        .spawn()
        .unwrap();

    let embedded = data_dir.start().await;
    exited(orphan).await;
    assert_eq!(kept(&embedded).await.as_deref(), Some("yes"));
    assert!(
        other.try_wait().unwrap().is_none(),
        "another process in the folder keeps running"
    );
    other.kill().unwrap();
    other.wait().unwrap();
    embedded.stop().await;
}

#[tokio::test]
async fn a_second_owner_is_refused_and_the_first_one_keeps_working() {
    let data_dir = DataDir::new();
    let first = data_dir.start().await;
    let refused = Embedded::start(&data_dir.settings()).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::InUse { pid: Some(pid), .. } if pid == process::id()));
    assert!(refused.to_string().contains("--data-dir"), "{refused}");
    cmd("PING").exec_async(&mut connect(&first).await).await.unwrap();
    first.stop().await;

    // The folder is free again.
    data_dir.start().await.stop().await;
}

#[tokio::test]
async fn a_dropped_handle_kills_the_server() {
    let data_dir = DataDir::new();
    let embedded = data_dir.start().await;
    let server = pid(&embedded);
    drop(embedded);
    exited(server).await;
}

#[tokio::test]
async fn a_data_folder_may_have_a_path_too_long_for_a_socket() {
    let short = DataDir::new();
    let long = EmbeddedSettings {
        data_dir: short.0.join("deep ".repeat(30)),
        ..short.settings()
    };
    let embedded = start(&long).await;
    cmd("PING").exec_async(&mut connect(&embedded).await).await.unwrap();
    embedded.stop().await;
}

#[tokio::test]
async fn a_failed_start_reports_the_reason() {
    let data_dir = DataDir::new();
    data_dir.start().await.stop().await;
    let appended = data_dir.0.join("redis/appendonlydir/appendonly.aof.manifest");
    fs::write(appended, "no manifest").unwrap();
    let error = Embedded::start(&data_dir.settings()).await.unwrap_err().to_string();
    assert!(error.contains("manifest") && error.contains("redis.log"), "{error}");
}
