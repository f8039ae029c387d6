//! One server process, from its launch to its exit.

use super::binary::Binary;
use super::compact;
use super::conf;
use super::error::EmbeddedError;
use super::home::Home;
use super::orphan;
use super::settings::EmbeddedSettings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::{AsyncConnectionConfig, Client, RedisError};
use std::fs;
use std::io::{Write, pipe};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{self, Instant};
use tracing::{debug, info, warn};

/// How long a server may take until it answers, with a reply or with `LOADING`.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to load its data; it loads some gigabytes a minute.
const LOADS_WITHIN: Duration = Duration::from_mins(10);
/// How long it may take to write, sync and exit on request.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// What is needed to launch a server, the first time and after a crash.
#[derive(Debug)]
pub(super) struct Launcher {
    home: Home,
    binary: Binary,
    client: Client,
    config: String,
}

impl Launcher {
    pub(super) fn new(home: Home, binary: Binary, settings: &EmbeddedSettings) -> Result<Self, EmbeddedError> {
        let client = Client::open(home.connection_info()?)?;
        let config = conf::render(&home, settings);
        Ok(Self {
            home,
            binary,
            client,
            config,
        })
    }

    pub(super) fn binary(&self) -> &Binary {
        &self.binary
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// Rewrites a long append-only file before a planned stop.
    pub(super) async fn compact(&self) {
        compact::compact(&self.client, &self.home.data()).await;
    }

    async fn spawn(&self) -> Result<Child, EmbeddedError> {
        let at_binary = || EmbeddedError::io(self.binary.path());
        let console = orphan::clear(&self.home).await?;
        // Written and closed before the server is started, so that a server cannot read half a configuration if this process is killed.
        // The configuration is far smaller than a pipe's buffer, so the write never waits for a reader.
        let (stdin, mut config) = pipe().map_err(at_binary())?;
        config.write_all(self.config.as_bytes()).map_err(at_binary())?;
        drop(config);
        let mut command = Command::new(self.binary.path());
        command
            .arg("-")
            .current_dir(self.home.dir())
            .stdin(stdin)
            .stdout(console.try_clone().map_err(at_binary())?)
            .stderr(Stdio::from(console))
            // Scripts compare strings. Redis does that by the locale of its environment, and this locale is the fastest.
            .env("LC_ALL", "C")
            .process_group(0)
            .kill_on_drop(true);
        // `command` is dropped here, and with it this process's handles of the console: from now on only the server holds the lock.
        command.spawn().map_err(at_binary())
    }

    /// Waits until the server answers PING.
    async fn wait_for_answer(&self) -> Result<(), RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(Duration::from_secs(2)));
        let started = Instant::now();
        let mut pause = Duration::from_millis(2);
        let mut loading = false;
        loop {
            let ping = async {
                let mut connection = self
                    .client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                redis::cmd("PING").query_async::<()>(&mut connection).await
            };
            let Err(error) = ping.await else { return Ok(()) };
            if orphan::is_loading(&error) && !loading {
                loading = true;
                info!("embedded Redis is loading its data");
            }
            let patience = if loading { LOADS_WITHIN } else { ANSWERS_WITHIN };
            if started.elapsed() > patience {
                return Err(error);
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Returns how the server ended, with the last lines of its output and of its log, on one line.
    fn last_output(&self, ended: &str) -> String {
        let tail = |path: &Path| {
            let text = fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text[text.len().saturating_sub(600)..]).into_owned();
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            lines[lines.len().saturating_sub(3)..].join(" | ")
        };
        format!(
            "{ended}; its last output: {} | {}; its log: {}",
            tail(&self.home.console()),
            tail(&self.home.log()),
            self.home.log().display()
        )
    }
}

/// A server that has answered. Dropping this value kills the process.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pid: u32,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(super) async fn launch(launcher: &Launcher) -> Result<Self, EmbeddedError> {
        let started = Instant::now();
        let mut child = launcher.spawn().await?;
        let not_started = |how: &str| EmbeddedError::NotStarted {
            reason: launcher.last_output(how),
        };
        let pid = child.id().ok_or_else(|| not_started("it exited at once"))?;
        tokio::select! {
            ended = child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(not_started(&how));
            }
            answered = launcher.wait_for_answer() => {
                if let Err(error) = answered {
                    return Err(not_started(&format!("it does not answer ({error})")));
                }
            }
        }
        debug!(pid, elapsed = ?started.elapsed(), "embedded Redis answers");
        Ok(Self { child, pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the server exits by itself, and returns its exit status as text.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Stops the server gracefully: it writes and syncs its file and exits. Kills it if that takes too long.
    pub(super) async fn stop(mut self) {
        let started = Instant::now();
        // The child has not been waited for, so the pid cannot belong to another process yet. SIGTERM also works while the server loads.
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Err(errno) = kill(Pid::from_raw(pid), Signal::SIGTERM)
        {
            warn!(pid, %errno, "cannot send SIGTERM to the embedded Redis");
        }
        match time::timeout(STOPS_WITHIN, self.child.wait()).await {
            Ok(_) => info!(pid = self.pid, elapsed = ?started.elapsed(), "embedded Redis has stopped"),
            Err(_elapsed) => {
                warn!(pid = self.pid, "embedded Redis does not stop in time; killing it");
                self.kill().await;
            }
        }
    }

    /// Kills the server. All writes that it has acknowledged are in its file.
    pub(super) async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            warn!(pid = self.pid, %error, "cannot kill the embedded Redis");
        }
    }
}
