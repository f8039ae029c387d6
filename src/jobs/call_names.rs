//! Names of the calls that lease jobs. Redis records under the name what the call has leased, so if the answer is lost, its jobs are found
//! by one read, however many others are leased.
//!
//! A name belongs to one call at a time. It is reused as soon as that call is answered, so a process has as many names as it had such
//! calls at the same time.

use parking_lot::Mutex;
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::fmt::Write;
use std::sync::Arc;

/// Random characters at the beginning of a name, which distinguish processes.
const PROCESS: usize = 8;

/// The names of a process.
#[derive(Debug)]
pub(super) struct CallNames {
    process: String,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    free: Vec<String>,
    made: u32,
}

/// The name of a call, which has it until this is dropped.
#[derive(Debug)]
pub(super) struct CallName {
    name: String,
    names: Arc<CallNames>,
}

impl CallNames {
    pub fn new() -> Arc<Self> {
        let process = rand::rng().sample_iter(Alphanumeric).take(PROCESS).map(char::from);
        Arc::new(Self {
            process: process.collect(),
            names: Mutex::default(),
        })
    }

    /// Returns a name that no other call has.
    pub fn take(self: &Arc<Self>) -> CallName {
        let mut names = self.names.lock();
        let name = names.free.pop().unwrap_or_else(|| {
            names.made += 1;
            let mut name = self.process.clone();
            // Writing to a String cannot fail.
            let _ = write!(name, "{}", names.made);
            name
        });
        drop(names);
        CallName {
            name,
            names: Arc::clone(self),
        }
    }
}

impl CallName {
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl Drop for CallName {
    fn drop(&mut self) {
        self.names.names.lock().free.push(std::mem::take(&mut self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_one_call_at_a_time_and_is_reused() {
        let names = CallNames::new();
        let (one, other) = (names.take(), names.take());
        assert_ne!(one.as_str(), other.as_str());
        let was = one.as_str().to_owned();
        drop(one);
        assert_eq!(names.take().as_str(), was);
        assert_ne!(CallNames::new().take().as_str(), was);
    }
}
