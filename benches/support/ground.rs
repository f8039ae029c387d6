//! What a bench with a server stands on: a folder of its own, and a clear end where the machine lacks something.

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

/// What a bench cannot do without.
#[expect(clippy::print_stderr, reason = "a bench prints why it ended")]
pub fn or_exit<T, E: Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("the bench cannot go on: {error} (it needs a redis-server; `make setup` installs one)");
        process::exit(1)
    })
}
