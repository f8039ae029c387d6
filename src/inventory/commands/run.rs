//! Runs the scripts that decide about stock, and sweeps first if too many holds are due.

use super::target::Target;
use super::upkeep::{Capacity, sweep};
use crate::store::{Script, StoreError};
use redis::Cmd;

/// The most sweeps that a call runs before it fails: enough for a million holds that expire together.
const MOST_SWEEPS: usize = 2_000;

impl Target<'_> {
    /// Runs a call. If more holds are due than one script call expires, all of them are expired first: no script decides while
    /// expired stock is not given back.
    pub(super) async fn run(&self, script: &Script, call: &Cmd) -> Result<Vec<String>, StoreError> {
        let mut sweeps = 0;
        loop {
            let answers: Vec<String> = self.link.run(script, call).await?;
            if !is_behind(&answers) {
                return Ok(answers);
            }
            // The background sweep completes their parts.
            while sweep(*self, Capacity::default()).await?.due {
                sweeps += 1;
                if sweeps > MOST_SWEEPS {
                    return Err(StoreError::Unavailable);
                }
            }
        }
    }

    pub(super) async fn run_one(&self, script: &Script, call: &Cmd) -> Result<String, StoreError> {
        let mut answers = self.run(script, call).await?;
        answers
            .pop()
            .ok_or_else(|| StoreError::Answer("inventory: nothing".to_owned()))
    }
}

pub(super) fn is_behind(answers: &[String]) -> bool {
    answers.first().is_some_and(|first| first == "behind")
}
