//! A Redis server that belongs to the tests.
//!
//! It is a child of this process. The existing wrapper crates are not used: they kill a server that is a zombie with `kill -9 -PID` in a
//! shell, which the `kill` of Debian 12 interprets as every process of the machine.

use super::leash::Leash;
use super::wait::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex as SyncMutex;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue, cmd};
use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Below the ephemeral ports, so that no client gets the port of a server that was killed and will be restarted on it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Kills the server in a folder, and removes the folder; for a test process that ends without its destructors.
const END: &str = "find \"$0\" -name redis.pid -exec cat {} + | xargs -r kill -9; rm -rf \"$0\"";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A `redis-server`, ended with everything it wrote when this is dropped or this process ends, however it ends.
pub struct Redis {
    child: SyncMutex<Child>,
    folder: PathBuf,
    port: u16,
    /// The `appendfsync` setting, if there is a file.
    synced: Option<&'static str>,
    leash: Leash,
}

impl Redis {
    /// The server that the tests of this process share; it ends with the last of those that hold it.
    pub async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Redis>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(redis) = shared.upgrade() {
            return redis;
        }
        let redis = Arc::new(Self::start(None).await);
        *shared = Arc::downgrade(&redis);
        redis
    }

    /// A server of the test's own that may be killed: everything that it acknowledged is in its file. The file is not synced, because what a
    /// process has written survives the process. It does not use `everysec`, which may delay a write while it syncs.
    pub async fn durable() -> Self {
        Self::start(Some("no")).await
    }

    /// The same, but acknowledged writes are also synced to the disk.
    pub async fn synced() -> Self {
        Self::start(Some("always")).await
    }

    /// A server of the test's own that loses everything when it is killed and restarted.
    pub async fn forgetful() -> Self {
        Self::start(None).await
    }

    /// As [`Self::durable`], in a folder that is there; it is emptied and removed at the end.
    pub async fn durable_in(folder: PathBuf) -> Self {
        Self::start_in(folder, Some("no")).await
    }

    async fn start(synced: Option<&'static str>) -> Self {
        let folder = env::temp_dir().join(format!("fleetpulse-it-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).unwrap();
        Self::start_in(folder, synced).await
    }

    async fn start_in(folder: PathBuf, synced: Option<&'static str>) -> Self {
        let leash = Leash::new(END, folder.as_os_str());
        let port = free_port();
        let child = SyncMutex::new(spawn(&folder, port, synced));
        let redis = Self {
            child,
            folder,
            port,
            synced,
            leash,
        };
        redis.answers().await;
        redis
    }

    /// Returns the folder of its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sets a value of its configuration.
    pub async fn configure(&self, name: &str, value: &str) {
        self.query::<()>(cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        let client = Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> T {
        cmd.query_async(&mut self.connect().await).await.unwrap()
    }

    /// `kill -9`; returns when it has ended.
    pub fn kill(&self) {
        let mut child = self.child.lock();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Suspends it: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Resumes it.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Starts it again after [`Self::kill`], on the same address and data.
    pub async fn restart(&mut self) {
        *self.child.get_mut() = spawn(&self.folder, self.port, self.synced);
        self.answers().await;
    }

    async fn answers(&self) {
        eventually(STARTS_WITHIN, "Redis answers", async || {
            let client = Client::open(self.url()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            cmd("PING").query_async::<()>(&mut connection).await.ok()
        })
        .await;
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.lock().id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // It may have been killed by its test.
        let _ = child.kill();
        let _ = child.wait();
        self.leash.pull();
    }
}

fn spawn(folder: &PathBuf, port: u16, synced: Option<&str>) -> Child {
    let mut server = Command::new(server_bin());
    server
        .arg("--port")
        .arg(port.to_string())
        .args(["--bind", "127.0.0.1", "--save", ""]);
    server.args(["--appendonly", if synced.is_some() { "yes" } else { "no" }]);
    server.args(["--appendfsync", synced.unwrap_or("no")]);
    server
        .arg("--dir")
        .arg(folder)
        .arg("--pidfile")
        .arg(folder.join("redis.pid"));
    server
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    for _ in 0..1_000 {
        let port = rand::random_range(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {} and {}", PORTS.start, PORTS.end);
}

/// Returns the server of `REDIS_SERVER_BIN`, or the first in `PATH`.
fn server_bin() -> PathBuf {
    let named = env::var_os("REDIS_SERVER_BIN").map(PathBuf::from);
    let found = named.or_else(|| ["redis-server", "valkey-server"].into_iter().find_map(in_path));
    found.unwrap_or_else(|| {
        panic!(
            "no redis-server is installed: `make setup` installs one (Debian: apt-get install redis-server), \
             or REDIS_SERVER_BIN names one"
        )
    })
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
