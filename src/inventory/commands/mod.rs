//! Every word that the inventory says to Redis, each as one typed function; a file per subject. All keys of a call are of one
//! partition, and so in one slot.

mod give_back;
mod items;
mod reservations;
mod upkeep;

pub(super) use give_back::{Behind, Given, What, give_back, is_known, owned};
pub use items::Expected;
pub(super) use items::{
    Claim, ItemOutcome, Lasting, adjust, claim, consume, group, list, look, put, remove, unclaim, undo_consume,
};
pub(super) use reservations::{Ends, How, Op, Outcome, Outcomes, batch, batch_at_once, find};
pub use reservations::{MAX_BATCH, Verb};
pub(super) use upkeep::{Again, Capacity, Work, settle, sweep};

use crate::clock::whole_ms;
use crate::once::Once;
use crate::store::{Keys, Link, Script, StoreError};
use redis::Cmd;

/// How many sweeps a call makes before it gives up: so a million holds that end together are no obstacle.
const MOST_SWEEPS: usize = 2_000;

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("../lua/", $name, ".lua"))))
    };
}
use script;

const BOOKS: &str = include_str!("../lua/books.lua");
const EXPECTED: &str = concat!(include_str!("../lua/books.lua"), include_str!("../lua/expected.lua"));

/// A partition of the inventory and how to reach it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The connection.
    pub link: &'a Link,
    /// The partition.
    pub partition: u16,
    /// How long an ended reservation is remembered, ms.
    pub keep_ms: u64,
}

impl Target<'_> {
    fn keys(&self) -> &Keys {
        self.link.store().keys()
    }

    /// A call of a script that opens the books, with `more` keys behind those.
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

    /// The key of the record of a call's idempotency key; one that is not read if the call has none.
    fn once_key(&self, once: Option<&Once>) -> String {
        let (keys, partition) = (self.keys(), self.partition);
        once.map_or_else(
            || keys.inventory_items(partition),
            |once| keys.inventory_once(partition, &once.name),
        )
    }

    /// Runs a call. Whoever finds more holds over than one call ends on its way ends all of them first: nothing is ever
    /// decided while stock is to be given back.
    async fn run(&self, script: &Script, call: &Cmd) -> Result<Vec<String>, StoreError> {
        let mut sweeps = 0;
        loop {
            let answers: Vec<String> = self.link.run(script, call).await?;
            if !is_behind(&answers) {
                return Ok(answers);
            }
            // Their parts are looked after by whoever sweeps for that.
            while sweep(*self, Capacity::default()).await?.due {
                sweeps += 1;
                if sweeps > MOST_SWEEPS {
                    return Err(StoreError::Away);
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

/// What a script wants to know of an idempotency key.
fn push_once(call: &mut Cmd, once: Option<&Once>) {
    call.arg(once.map_or("", |once| &once.body)).arg(whole_ms(Once::KEPT));
}

fn is_behind(answers: &[String]) -> bool {
    answers.first().is_some_and(|first| first == "behind")
}

fn not_understood(answer: &str) -> StoreError {
    StoreError::Answer(format!("inventory: {answer:?}"))
}
