//! The Redis commands and scripts of the inventory, each as one typed function; one file per subject. All keys of a call belong to one
//! partition, and so to one slot.

mod give_back;
mod items;
mod reservations;
mod run;
mod target;
mod upkeep;

pub(super) use give_back::{GiveBackOutcome, GiveBackScope, HoldPosition, give_back, is_known, owned};
pub use items::Expected;
pub(super) use items::{
    EntryLifetime, GroupClaim, ItemOutcome, adjust, claim, consume, group, list, look, put, remove, unclaim,
    undo_consume,
};
pub(super) use reservations::{ExtendMode, NewEnd, Op, OpOutcome, OpOutcomes, batch, batch_at_once, find};
pub use reservations::{MAX_BATCH, Verb};
pub use target::Target;
pub(super) use upkeep::{Capacity, NextCheck, Work, settle, sweep};

use crate::clock::whole_ms;
use crate::once::Once;
use crate::store::StoreError;
use redis::Cmd;

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("../lua/", $name, ".lua"))))
    };
}
use script;

const BOOKS: &str = include_str!("../lua/books.lua");
const EXPECTED: &str = concat!(include_str!("../lua/books.lua"), include_str!("../lua/expected.lua"));

/// Adds the arguments of an idempotency key.
fn push_once(call: &mut Cmd, once: Option<&Once>) {
    call.arg(once.map_or("", |once| &once.body)).arg(whole_ms(Once::KEPT));
}

fn not_understood(answer: &str) -> StoreError {
    StoreError::Answer(format!("inventory: {answer:?}"))
}
