//! The command line: the output and the exit status of each command, and the sources of settings.

mod config;
mod https;
mod load;
mod output;
mod simulate;
mod start;
mod version;

use std::process::Output;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// The binary, without the settings of this machine.
fn fleetpulse(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetpulse"));
    command.env_clear().args(words).kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs a command to its end.
async fn ended(mut command: Command) -> Ended {
    let output = timeout(ENDS_WITHIN, command.output()).await.expect("it ends by itself");
    Ended::from(output.unwrap())
}

async fn run(words: &[&str]) -> Ended {
    ended(fleetpulse(words)).await
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
