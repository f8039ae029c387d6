use super::Api;
use super::leash::Leash;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The real binary as a process of its own; killed and buried when dropped.
pub struct ServiceProcess {
    // Pulled before the child is buried, when its pid is still its own.
    leash: Leash,
    child: Child,
    url: String,
}

impl ServiceProcess {
    /// Starts `fleetpulse serve` on a free port and waits until it is ready.
    pub async fn start(args: &[impl AsRef<str>]) -> Self {
        let process = Self::start_unready(args).await;
        process.drivers().ready().await;
        process
    }

    /// The same without waiting for more than its port.
    pub async fn start_unready(args: &[impl AsRef<str>]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetpulse"));
        command.args(["serve", "--bind=127.0.0.1:0", "--workers=2", "--redis-host="]);
        command.args(args.iter().map(AsRef::as_ref));
        // Errors of the service are shown with those of the test.
        command
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let pid = child.id().expect("it runs").to_string();
        let leash = Leash::new("kill -9 \"$0\"", pid.as_ref());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return url.to_owned();
                }
            }
            panic!("the service ended before it listened");
        };
        let url = timeout(STARTS_WITHIN, listening).await.expect("it listens");
        // What else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { leash, child, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Its calls about `drivers`, `vehicles` or `users`.
    pub fn api(&self, kind: &'static str) -> Api {
        Api::new(self.url.clone(), kind)
    }

    pub fn drivers(&self) -> Api {
        self.api("drivers")
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.leash.release();
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; returns how it ended.
    pub async fn terminate(mut self) -> ExitStatus {
        self.leash.release();
        kill(Pid::from_raw(self.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let ended = timeout(ENDS_WITHIN, self.child.wait()).await;
        ended.expect("it ends when told to").unwrap()
    }
}
