//! The `fleetpulse` command: parses the command line and runs one command.

use clap::{Parser, Subcommand};
use fleetpulse::cli::check::CheckArgs;
use fleetpulse::cli::load::LoadArgs;
use fleetpulse::cli::serve::ServeArgs;
use fleetpulse::cli::simulate::SimulateArgs;
use fleetpulse::cli::{check, load, serve, simulate};
use mimalloc::MiMalloc;
use std::error::Error;
use std::process::ExitCode;

/// For small allocations of many sizes from several threads, which are all that the hot paths make.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Geo-tracking: positions in, the nearest out
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<ServeArgs>),
    /// Push the positions of a simulated fleet, or of a recording, to a running service
    Simulate(SimulateArgs),
    /// Measure a running service under closed-loop load
    Load(LoadArgs),
    /// Ask a running service whether it is well; exits with 1 if not
    Check(CheckArgs),
}

#[actix_web::main]
async fn main() -> ExitCode {
    let result: Result<(), Box<dyn Error>> = match Cli::parse().command {
        Command::Serve(args) => serve::run(*args).await.map_err(Into::into),
        Command::Simulate(args) => simulate::run(args).await.map_err(Into::into),
        Command::Load(args) => load::run(args).await.map_err(Into::into),
        Command::Check(args) => check::run(args).await.map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Tells an error with all its causes.
#[expect(clippy::print_stderr, reason = "a command tells its user why it ended")]
fn fail(error: &dyn Error) {
    eprint!("fleetpulse: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
}
