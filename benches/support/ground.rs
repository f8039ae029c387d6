//! Setup of a bench with a server: a folder of its own, and an end with a message if the machine lacks something.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, process};

/// A folder that is removed with everything in it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("fleetpulse-bench-{}-{name}", process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the value, or ends the bench.
#[expect(clippy::print_stderr, reason = "a bench prints why it ended")]
pub fn or_exit<T, E: Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("the bench cannot continue: {error} (it needs a redis-server; `make setup` installs one)");
        process::exit(1)
    })
}
