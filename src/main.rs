//! The `fleetpulse` command: parses the command line and runs one command.

use actix_web::rt::System;
use fleetpulse::cli::command;
use mimalloc::MiMalloc;
use std::env;
use std::process::ExitCode;

/// For small allocations of many sizes from several threads, which are all that the hot paths make.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Before there is a runtime: looking up a host name and reading a file block.
    match command::parse(env::args_os().collect(), env!("FLEETPULSE_VERSION")) {
        Ok(command) => System::new().block_on(command::run(command, env!("FLEETPULSE_VERSION"))),
        Err(refusal) => refusal.report(),
    }
}
