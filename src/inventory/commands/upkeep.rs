use super::{BOOKS, Target, script};
use crate::ids::Id;
use crate::store::{Script, StoreError};
use std::sync::LazyLock;

/// The most holds that one call expires.
const SWEEP: usize = 500;

static SWEEP_SCRIPT: LazyLock<Script> = script!("sweep", BOOKS);
static SETTLE: LazyLock<Script> = script!("settle", "");

/// The result of one call of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) struct Swept {
    /// Whether more holds are due.
    pub due: bool,
    /// Whether there is more to forget.
    pub ended: bool,
    /// The number of items in the partition.
    pub items: u64,
    /// Reservations whose parts the caller has to check.
    pub work: Work,
}

/// Reservations whose parts in other partitions have to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum Work {
    /// Their parts have not followed the last decision.
    Parted(Vec<Id>),
    /// Their parts have followed, and they may be forgotten. Returned only if there are none of the others.
    Kept(Vec<Id>),
}

/// The number of reservations of each kind of [`Work`] that a caller of [`sweep`] checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::inventory) struct Capacity {
    pub parted: usize,
    pub kept: usize,
}

/// Expires holds that are due and forgets reservations that ended long ago, up to 500 of each. Returns reservations that the caller has
/// to check.
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

/// The time of the next check of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum NextCheck {
    /// Milliseconds from now.
    In(u64),
    /// Not before the next decision.
    Never,
    /// Never: the parts are gone, and the record is deleted as well.
    Forget,
}

/// Sets the time of the next check of the parts of a reservation, unless its record has changed since it was `seen`.
pub(in crate::inventory) async fn settle(
    target: Target<'_>,
    id: &Id,
    seen: &str,
    again: NextCheck,
) -> Result<(), StoreError> {
    let keys = target.keys();
    let mut call = SETTLE.call(3, 6, 320);
    call.arg(keys.inventory_reservations(target.partition))
        .arg(keys.inventory_parted(target.partition))
        .arg(keys.inventory_kept(target.partition))
        .arg(id.as_str())
        .arg(seen)
        .arg(match again {
            NextCheck::In(ms) => ms.to_string(),
            NextCheck::Never => "never".to_owned(),
            NextCheck::Forget => "forget".to_owned(),
        });
    let _: Vec<String> = target.link.run(&SETTLE, &call).await?;
    Ok(())
}
