use super::leash::Leash;
use super::{Api, last_of_each};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The real binary in another process, which is killed and reaped when this is dropped.
pub struct ServiceProcess {
    // Before the child is reaped, while its pid cannot belong to another process.
    leash: Leash,
    child: Child,
    url: String,
    said: Arc<Mutex<String>>,
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
        Self::spawn(Self::command(args)).await
    }

    /// The command that starts it, for tests that change the environment or read the log: the log is kept if
    /// standard error is a pipe, and otherwise shown with the output of the test.
    pub fn command(args: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetpulse"));
        let base = [
            "--bind=127.0.0.1:0",
            "--workers=2",
            "--lame-duck=0",
            "--redis-host=",
            // Used by tests that write requests themselves.
            "--http-hosts=x",
        ];
        command.arg("serve").args(last_of_each(&base, args));
        command.env("RUST_LOG", "warn").stdin(Stdio::null());
        command
    }

    /// Runs a command that [`Self::command`] made, and waits for its port.
    pub async fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let pid = child.id().expect("it runs").to_string();
        let leash = Leash::new("kill -9 \"$0\"", pid.as_ref());
        let said = Arc::new(Mutex::new(String::new()));
        let (address, listening) = oneshot::channel();
        // Both are read to their ends, so that neither pipe fills.
        tokio::spawn(listen(child.stdout.take().unwrap(), Arc::clone(&said), Some(address)));
        if let Some(log) = child.stderr.take() {
            tokio::spawn(listen(log, Arc::clone(&said), None));
        }
        let url = timeout(STARTS_WITHIN, listening).await.expect("it listens");
        let url = url.unwrap_or_else(|_| panic!("it ended before it listened: {}", said.lock()));
        Self {
            leash,
            child,
            url,
            said,
        }
    }

    /// Runs the binary with settings with which it must refuse to start. Returns its exit status and its output.
    pub async fn refusal(args: &[impl AsRef<str>]) -> Output {
        let mut command = Self::command(args);
        let output = command.kill_on_drop(true).output();
        let output = timeout(ENDS_WITHIN, output).await.expect("it ends by itself").unwrap();
        assert!(!output.status.success(), "{output:?}");
        output
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns its output so far, including its log if that is a pipe.
    pub fn output(&self) -> String {
        self.said.lock().clone()
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

    /// SIGTERM.
    pub fn request_stop(&self) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
    }

    /// Waits for its end, and returns the exit status.
    pub async fn ended(mut self) -> ExitStatus {
        self.leash.release();
        let ended = timeout(ENDS_WITHIN, self.child.wait()).await;
        ended.expect("it stops on request").unwrap()
    }

    /// Sends SIGTERM, and returns the exit status.
    pub async fn terminate(self) -> ExitStatus {
        self.request_stop();
        self.ended().await
    }
}

/// Reads all lines, stores them, and sends the address when it is printed.
async fn listen(from: impl AsyncRead + Unpin, said: Arc<Mutex<String>>, mut address: Option<oneshot::Sender<String>>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock();
        said.push_str(&line);
        said.push('\n');
        drop(said);
        if let Some(url) = line.strip_prefix("listening on ")
            && let Some(address) = address.take()
        {
            let _ = address.send(url.to_owned());
        }
    }
}
