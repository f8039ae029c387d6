//! A Redis server that belongs to the tests.

use super::leash::Leash;
use super::wait::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue};
use redis_server_wrapper::{AppendFsync, RedisServer, RedisServerHandle, chaos};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Below the ports that systems hand out to clients, so that none of those takes the port of a server that was killed and
/// is to come back on it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Kills whichever server runs in a folder, and removes that. Servers are daemons; nothing else would end them.
const END: &str = "find \"$0\" -name redis.pid -exec cat {} + | xargs -r kill -9; rm -rf \"$0\"";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A `redis-server`, ended with everything it wrote when this is dropped or this process ends, however it ends.
pub struct Redis {
    // Taken out for `restart`, and at the end.
    handle: Option<RedisServerHandle>,
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
        let redis = Arc::new(Self::start(RedisServer::new().appendonly(false)).await);
        *shared = Arc::downgrade(&redis);
        redis
    }

    /// A server of the test's own that may be killed: what it acknowledged is in its file. Not synced, because what a
    /// process has written outlives it; and not `everysec`, which may hold a write back while it syncs.
    pub async fn durable() -> Self {
        Self::start(RedisServer::new().appendonly(true).appendfsync(AppendFsync::No)).await
    }

    async fn start(server: RedisServer) -> Self {
        let (server_bin, cli_bin) = binaries();
        let folder = env::temp_dir().join(format!("fleetpulse-it-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).unwrap();
        let leash = Leash::new(END, folder.as_os_str());
        let server = server.save(false).dir(&folder).bind("127.0.0.1").no_stack_modules();
        let server = server
            .redis_server_bin(server_bin.to_string_lossy())
            .redis_cli_bin(cli_bin.to_string_lossy());
        // Boxed, because the builder is large and every test's future would hold it.
        let handle = Box::pin(server.port(free_port()).start()).await.unwrap();
        Self {
            handle: Some(handle),
            leash,
        }
    }

    fn handle(&self) -> &RedisServerHandle {
        self.handle.as_ref().expect("the server is there until it is dropped")
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.handle().addr())
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        let client = Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> T {
        cmd.query_async(&mut self.connect().await).await.unwrap()
    }

    /// `kill -9`; returns when nobody listens any more.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        eventually(STARTS_WITHIN, "the killed Redis is gone", async || {
            TcpStream::connect(self.handle().addr()).is_err().then_some(())
        })
        .await;
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Starts it again after [`Self::kill`], on the same address and data.
    pub async fn restart(&mut self) {
        let handle = self.handle.as_mut().expect("the server is there until it is dropped");
        Box::pin(chaos::restart_node(handle, STARTS_WITHIN)).await.unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.handle().pid().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The handle's own way to stop takes a second or more; the leash takes none.
        if let Some(handle) = self.handle.take() {
            handle.detach();
        }
        self.leash.pull();
    }
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

/// The server and its command-line client: what `REDIS_SERVER_BIN` names, or the first in `PATH`.
fn binaries() -> (PathBuf, PathBuf) {
    let named = env::var_os("REDIS_SERVER_BIN").map(PathBuf::from);
    let found = named.or_else(|| ["redis-server", "valkey-server"].into_iter().find_map(in_path));
    let server = found.unwrap_or_else(|| {
        panic!(
            "no redis-server is installed: `make setup` installs one (Debian: apt-get install redis-server), \
             or REDIS_SERVER_BIN names one"
        )
    });
    let name = server.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let beside = server.with_file_name(name.replace("server", "cli"));
    let client = if beside.is_file() {
        Some(beside)
    } else {
        in_path("redis-cli")
    };
    (server, client.expect("no redis-cli beside redis-server"))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
