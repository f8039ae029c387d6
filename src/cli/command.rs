//! The commands by their names, and how each ends.

use super::check::{self, CheckArgs, CheckError};
use super::config_file::{self, ConfigFileError};
use super::load::{self, LoadArgs, LoadError};
use super::routes;
use super::serve::{self, ServeArgs};
use super::settings;
use super::simulate::{self, SimulateArgs, SimulateError};
use crate::app::{self, AppError};
use crate::openapi;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::{Shell, generate};
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write, stdout};
use std::process::ExitCode;

/// Exit status of a command that failed.
const FAILED: u8 = 1;
/// Exit status of a command that did not start: the command line, a variable or the configuration file is not valid.
const INVALID: u8 = 2;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed; standard error says why
  2  not started: the command line, a variable or the configuration file is not valid";

/// Geo-tracking: ingest positions, query the nearest entities
#[derive(Debug, Parser)]
#[command(name = "fleetpulse", propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The command to run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service
    #[command(after_help = EXIT_CODES)]
    Serve(Box<ServeArgs>),
    /// Push the positions of a simulated fleet, or of a recording, to a running service
    #[command(
        after_help = "Exit codes: 0 done; 1 the service cannot be reached, or --verify found a wrong position; 2 not started"
    )]
    Simulate(SimulateArgs),
    /// Measure a running service under closed-loop load
    #[command(
        after_help = "Exit codes: 0 done; 1 the service cannot be reached, no request of a kind succeeded, or entities\n\
                      could not be removed; 2 not started; 130 a second Ctrl-C ended it before they were removed"
    )]
    Load(LoadArgs),
    /// Check that a running service is alive
    #[command(after_help = "Exit codes: 0 it is alive; 1 it is not, or cannot be reached; 2 not started")]
    Check(CheckArgs),
    /// Print the document of the interface
    #[command(about = "Print the OpenAPI document of the service")]
    Openapi,
    /// Print every route of the service: method, path, operation, scope, summary
    Routes {
        /// Print a Markdown page
        #[arg(long)]
        markdown: bool,
    },
    /// Print every setting of the service as a Markdown page
    Settings,
    /// Print the shell completions of this command
    #[command(after_help = "Example: fleetpulse completions bash > /etc/bash_completion.d/fleetpulse")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Why no command is started.
#[derive(Debug)]
pub enum Refusal {
    /// The command line is not valid, or requests help.
    CommandLine(clap::Error),
    /// The configuration file is not valid.
    File(ConfigFileError),
}

impl Refusal {
    /// Prints the reason, and returns the exit status.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::CommandLine(error) => {
                // A closed pipe is no reason for another exit status.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(INVALID))
            }
            Self::File(error) => {
                complain(error);
                ExitCode::from(INVALID)
            }
        }
    }
}

/// Parses a command line. Flags and variables override the configuration file.
///
/// # Errors
/// [`Refusal`], also for `--help` and `--version`.
pub fn parse(words: Vec<OsString>, version: &'static str) -> Result<Command, Refusal> {
    let cli = Cli::command().version(version);
    let words = config_file::extend(&cli, words).map_err(Refusal::File)?;
    let matches = cli.try_get_matches_from(words).map_err(Refusal::CommandLine)?;
    let cli = Cli::from_arg_matches(&matches).map_err(Refusal::CommandLine)?;
    Ok(cli.command)
}

/// Runs a command to its end; returns its exit status.
pub async fn run(command: Command, version: &'static str) -> ExitCode {
    let done = match command {
        Command::Serve(args) => serve::run(*args).await.map_err(Failure::from),
        Command::Simulate(args) => simulate::run(args).await.map_err(Failure::from),
        Command::Load(args) => load::run(args).await.map_err(Failure::from),
        Command::Check(args) => check::run(args).await.map_err(Failure::from),
        Command::Openapi => print(&openapi::pretty(&app::document())).map_err(Failure::from),
        Command::Routes { markdown: false } => print(routes::table().as_bytes()).map_err(Failure::from),
        Command::Routes { markdown: true } => print(routes::page().as_bytes()).map_err(Failure::from),
        Command::Settings => {
            let cli = Cli::command();
            let page = cli.find_subcommand("serve").map(settings::page).unwrap_or_default();
            print(page.as_bytes()).map_err(Failure::from)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            generate(shell, &mut Cli::command().version(version), "fleetpulse", &mut script);
            print(&script).map_err(Failure::from)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            failure.exit_code()
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Serve(#[from] AppError),
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Serve(error) if error.is_of_settings() => ExitCode::from(INVALID),
            _ => ExitCode::from(FAILED),
        }
    }
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text)?;
    out.flush()
}

/// Prints an error with its causes.
#[expect(clippy::print_stderr, reason = "a command reports why it failed")]
fn complain(error: &dyn Error) {
    eprintln!("fleetpulse: {}", chain(error));
}

/// Returns an error with its causes. The text of some errors contains their cause; it is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.ends_with(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Nested {
        #[error("{0}")]
        Says(#[source] Box<Self>),
        #[error("outer")]
        Silent(#[source] Box<Self>),
        #[error("inner")]
        Inner,
    }

    #[test]
    fn each_cause_is_said_once() {
        let silent = Nested::Silent(Box::new(Nested::Inner));
        assert_eq!(chain(&silent), "outer: inner");
        assert_eq!(chain(&Nested::Says(Box::new(Nested::Inner))), "inner");
        assert_eq!(chain(&Nested::Says(Box::new(silent))), "outer: inner");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().version("1.0.0").debug_assert();
    }
}
