use super::{BOOKS, Target, script};
use crate::ids::Id;
use crate::store::{Script, StoreError};
use std::sync::LazyLock;

/// How many holds a sweep ends at most.
const SWEEP: usize = 500;

static SWEEP_SCRIPT: LazyLock<Script> = script!("sweep", BOOKS);
static SETTLE: LazyLock<Script> = script!("settle", "");

/// What a sweep leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) struct Swept {
    /// Whether more holds are over.
    pub due: bool,
    /// Whether there is more to forget.
    pub ended: bool,
    /// How many items the partition has.
    pub items: u64,
    /// Reservations whose parts are to be looked after.
    pub work: Work,
}

/// Reservations with parts elsewhere whose parts are to be looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum Work {
    /// Their parts have not heard of the last decision.
    Parted(Vec<Id>),
    /// They have, and it is to be checked whether they can be forgotten. Only if there are none of the others.
    Kept(Vec<Id>),
}

/// How many reservations of each kind of [`Work`] a caller of [`sweep`] looks after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::inventory) struct Capacity {
    pub parted: usize,
    pub kept: usize,
}

/// Ends holds whose time is over and forgets what ended long ago, up to 500 of each; names reservations that the caller is to look
/// after.
pub(in crate::inventory) async fn sweep(target: Target<'_>, capacity: Capacity) -> Result<Swept, StoreError> {
    let (keys, partition) = (target.keys(), target.partition);
    let more = [
        keys.inventory_parted(partition),
        keys.inventory_clock(partition),
        keys.inventory_kept(partition),
        keys.inventory_names(partition),
    ];
    let mut call = target.call(&SWEEP_SCRIPT, &more, 4, 16);
    call.arg(SWEEP).arg(capacity.parted).arg(capacity.kept);
    let answers: Vec<String> = target.link.run(&SWEEP_SCRIPT, &call).await?;
    let [first, kind, items, ids @ ..] = answers.as_slice() else {
        return Err(StoreError::Answer("sweep: too little".to_owned()));
    };
    let items = items
        .parse()
        .map_err(|error| StoreError::Answer(format!("sweep: {error}")))?;
    let ids = ids.iter().filter_map(|id| Id::parse(id).ok()).collect();
    Ok(Swept {
        due: first == "more",
        ended: first == "later",
        items,
        work: if kind == "kept" {
            Work::Kept(ids)
        } else {
            Work::Parted(ids)
        },
    })
}

/// When parts are to be looked after again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum Again {
    /// In so many milliseconds.
    In(u64),
    /// Not until something else is decided.
    Never,
    /// Never: they are forgotten, and what stands for them with them.
    Forget,
}

/// Says when the parts of a reservation are to be looked after again, unless it has gone on since it was `seen` as it is there.
pub(in crate::inventory) async fn settle(
    target: Target<'_>,
    id: &Id,
    seen: &str,
    again: Again,
) -> Result<(), StoreError> {
    let keys = target.keys();
    let mut call = SETTLE.call(3, 6, 320);
    call.arg(keys.inventory_reservations(target.partition))
        .arg(keys.inventory_parted(target.partition))
        .arg(keys.inventory_kept(target.partition))
        .arg(id.as_str())
        .arg(seen)
        .arg(match again {
            Again::In(ms) => ms.to_string(),
            Again::Never => "never".to_owned(),
            Again::Forget => "forget".to_owned(),
        });
    let _: Vec<String> = target.link.run(&SETTLE, &call).await?;
    Ok(())
}
