//! The Redis commands and scripts of the inventory, each as one typed function; one file per subject. All keys of a call belong to one
//! partition, and so to one slot.

mod give_back;
mod items;
mod reservations;
mod upkeep;

pub(super) use give_back::{GiveBackOutcome, GiveBackScope, HoldPosition, give_back, is_known, owned};
pub use items::Expected;
pub(super) use items::{
    EntryLifetime, GroupClaim, ItemOutcome, adjust, claim, consume, group, list, look, put, remove, unclaim,
    undo_consume,
};
pub(super) use reservations::{ExtendMode, NewEnd, Op, OpOutcome, OpOutcomes, batch, batch_at_once, find};
pub use reservations::{MAX_BATCH, Verb};
pub(super) use upkeep::{Capacity, NextCheck, Work, settle, sweep};

use crate::clock::whole_ms;
use crate::once::Once;
use crate::store::{Keys, Link, Script, StoreError};
use redis::Cmd;

/// The most sweeps that a call runs before it fails: enough for a million holds that expire together.
const MOST_SWEEPS: usize = 2_000;

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("../lua/", $name, ".lua"))))
    };
}
use script;

const BOOKS: &str = include_str!("../lua/books.lua");
const EXPECTED: &str = concat!(include_str!("../lua/books.lua"), include_str!("../lua/expected.lua"));

/// A partition of the inventory, and the connection to it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The connection.
    pub link: &'a Link,
    /// The partition.
    pub partition: u16,
    /// Retention of an ended reservation, ms.
    pub keep_ms: u64,
}

impl Target<'_> {
    fn keys(&self) -> &Keys {
        self.link.store().keys()
    }

    /// Returns a call of a script that opens the books, with `more` keys after theirs.
    fn call(&self, script: &Script, more: &[String], args: usize, bytes: usize) -> Cmd {
        let (keys, partition) = (self.keys(), self.partition);
        let mut call = script.call(5 + more.len(), 6 + more.len() + args, 256 + bytes);
        call.arg(keys.inventory_items(partition))
            .arg(keys.inventory_reservations(partition))
            .arg(keys.inventory_due(partition))
            .arg(keys.inventory_ended(partition))
            .arg(keys.inventory_events(partition))
            .arg(more)
            .arg(self.keep_ms);
        call
    }

    /// Returns the key of the record of an idempotency key; without one, a key that the script does not read.
    fn once_key(&self, once: Option<&Once>) -> String {
        let (keys, partition) = (self.keys(), self.partition);
        once.map_or_else(
            || keys.inventory_items(partition),
            |once| keys.inventory_once(partition, &once.name),
        )
    }

    /// Runs a call. If more holds are due than the script expires by itself, all of them are expired first: no script decides while
    /// expired stock is not given back.
    async fn run(&self, script: &Script, call: &Cmd) -> Result<Vec<String>, StoreError> {
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

    async fn run_one(&self, script: &Script, call: &Cmd) -> Result<String, StoreError> {
        let mut answers = self.run(script, call).await?;
        answers
            .pop()
            .ok_or_else(|| StoreError::Answer("inventory: nothing".to_owned()))
    }
}

/// Adds the arguments of an idempotency key.
fn push_once(call: &mut Cmd, once: Option<&Once>) {
    call.arg(once.map_or("", |once| &once.body)).arg(whole_ms(Once::KEPT));
}

fn is_behind(answers: &[String]) -> bool {
    answers.first().is_some_and(|first| first == "behind")
}

fn not_understood(answer: &str) -> StoreError {
    StoreError::Answer(format!("inventory: {answer:?}"))
}
