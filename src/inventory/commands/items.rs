use super::super::model::{Goods, Item, OnHand};
use super::super::record::Record;
use super::{BOOKS, EXPECTED, Target, not_understood, push_once, script};
use crate::ids::Id;
use crate::once::Once;
use crate::store::{Link, Script, StoreError};
use std::sync::LazyLock;

static PUT: LazyLock<Script> = script!("put", EXPECTED);
static ADJUST: LazyLock<Script> = script!("adjust", EXPECTED);
static CONSUME: LazyLock<Script> = script!("consume", BOOKS);
static REMOVE: LazyLock<Script> = script!("remove", EXPECTED);
static LOOK: LazyLock<Script> = script!("look", BOOKS);
static LIST: LazyLock<Script> = script!("list", BOOKS);
static CLAIM: LazyLock<Script> = script!("claim", "");
static UNCLAIM: LazyLock<Script> = script!("unclaim", "");

/// The version of an item that a change expects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expected {
    /// Any version, or no item.
    #[default]
    Any,
    /// Any version; the item has to exist.
    Present,
    /// This version; 0 if the item must not exist.
    Version(u64),
    /// One of these versions.
    OneOf(Vec<u64>),
}

impl Expected {
    /// Returns the argument that `lua/expected.lua` reads.
    fn word(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Present => "*".to_owned(),
            Self::Version(version) => version.to_string(),
            Self::OneOf(versions) => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                versions.join(" ")
            }
        }
    }
}

/// The outcome of a change of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum ItemOutcome {
    Created(Item),
    Done(Item),
    /// The answer of an earlier call with the same idempotency key.
    Before(Item),
    /// The idempotency key was used with another body.
    Reused,
    Unknown,
    /// The item has this version; 0 if there is no item.
    Version(u64),
    /// This quantity is reserved.
    Below(u64),
    /// The item belongs to this group, or to none.
    Elsewhere(Option<Id>),
    /// The quantity would be 2⁵³ or more.
    Beyond,
    /// The reservation is not confirmed.
    Wrong(Record),
    /// The reservation has parts in other partitions, and the decision to consume the goods is recorded.
    Parts(Record),
    /// The reservation does not have this quantity of the item.
    NotItsGoods,
    /// Only this quantity is on hand.
    Short(u64),
}

impl ItemOutcome {
    fn read(sku: &Id, answer: &str) -> Result<Self, StoreError> {
        let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        let number = || rest.parse().map_err(|_no_number| not_understood(answer));
        Ok(match word {
            "created" => Self::Created(Item::read(sku, rest)?),
            "done" => Self::Done(Item::read(sku, rest)?),
            "before" => Self::Before(Item::read(sku, rest)?),
            "reused" => Self::Reused,
            "unknown" => Self::Unknown,
            "version" => Self::Version(number()?),
            "below" => Self::Below(number()?),
            "elsewhere" => Self::Elsewhere(Id::parse(rest).ok()),
            "beyond" => Self::Beyond,
            "wrong" => Self::Wrong(Record::read(rest)?),
            "parts" => Self::Parts(Record::read(rest)?),
            "short" => {
                let (_sku, quantity) = rest.split_once(' ').ok_or_else(|| not_understood(answer))?;
                Self::Short(quantity.parse().map_err(|_no_number| not_understood(answer))?)
            }
            "absent" | "differs" => Self::NotItsGoods,
            _ => return Err(not_understood(answer)),
        })
    }
}

/// Sets the quantity of an item. Without a group the target is the partition of the SKU, and an item that belongs to a group is reported.
pub(in crate::inventory) async fn put(
    target: Target<'_>,
    sku: &Id,
    on_hand: OnHand,
    expected: &Expected,
    group: Option<&Id>,
) -> Result<ItemOutcome, StoreError> {
    let mut more = vec![target.keys().inventory_names(target.partition)];
    if group.is_none() {
        more.push(target.keys().inventory_group(sku));
    }
    let mut call = target.call(&PUT, &more, 6, 64);
    call.arg(sku.as_str())
        .arg(on_hand.quantity)
        .arg(expected.word())
        .arg(group.map_or("*", |group| group.as_str()))
        .arg(u8::from(on_hand.may_be_oversold));
    ItemOutcome::read(sku, &target.run_one(&PUT, &call).await?)
}

/// Adds to the quantity of an item, once per idempotency key.
pub(in crate::inventory) async fn adjust(
    target: Target<'_>,
    sku: &Id,
    delta: i64,
    expected: &Expected,
    once: Option<&Once>,
) -> Result<ItemOutcome, StoreError> {
    let more = [target.once_key(once)];
    let mut call = target.call(&ADJUST, &more, 6, 192);
    call.arg(sku.as_str()).arg(delta).arg(expected.word());
    push_once(&mut call, once);
    ItemOutcome::read(sku, &target.run_one(&ADJUST, &call).await?)
}

/// Removes the goods of one item of a confirmed reservation from the stock. With parts in other partitions it records the decision.
pub(in crate::inventory) async fn consume(
    target: Target<'_>,
    id: &str,
    goods: &Goods,
) -> Result<ItemOutcome, StoreError> {
    consume_or_undo(target, id, goods, "").await
}

/// Takes back the decision of one call of [`consume`], unless another call has decided the same.
pub(in crate::inventory) async fn undo_consume(target: Target<'_>, id: &str, goods: &Goods) -> Result<(), StoreError> {
    consume_or_undo(target, id, goods, "undo").await.map(drop)
}

async fn consume_or_undo(
    target: Target<'_>,
    id: &str,
    Goods { sku, quantity }: &Goods,
    how: &str,
) -> Result<ItemOutcome, StoreError> {
    let more = [target.keys().inventory_parted(target.partition)];
    let mut call = target.call(&CONSUME, &more, 4, 192);
    call.arg(id).arg(sku.as_str()).arg(quantity).arg(how);
    ItemOutcome::read(sku, &target.run_one(&CONSUME, &call).await?)
}

/// Deletes an item.
pub(in crate::inventory) async fn remove(
    target: Target<'_>,
    sku: &Id,
    expected: &Expected,
) -> Result<ItemOutcome, StoreError> {
    let more = [target.keys().inventory_names(target.partition)];
    let mut call = target.call(&REMOVE, &more, 3, 64);
    call.arg(sku.as_str()).arg(expected.word());
    ItemOutcome::read(sku, &target.run_one(&REMOVE, &call).await?)
}

/// Reads an item.
pub(in crate::inventory) async fn look(target: Target<'_>, sku: &Id) -> Result<Option<Item>, StoreError> {
    let mut call = target.call(&LOOK, &[], 2, 64);
    call.arg(sku.as_str());
    match ItemOutcome::read(sku, &target.run_one(&LOOK, &call).await?)? {
        ItemOutcome::Done(item) => Ok(Some(item)),
        _ => Ok(None),
    }
}

/// Returns up to `count` (at most 500) items of the partition after a SKU, sorted by SKU.
pub(in crate::inventory) async fn list(
    target: Target<'_>,
    behind: &str,
    count: usize,
) -> Result<Vec<Item>, StoreError> {
    let more = [target.keys().inventory_names(target.partition)];
    let mut call = target.call(&LIST, &more, 3, 64);
    call.arg(behind).arg(count);
    let lines = target.run(&LIST, &call).await?;
    lines
        .iter()
        .map(|line| {
            let (sku, item) = line.split_once(' ').ok_or_else(|| not_understood(line))?;
            Item::read(&Id::parse(sku).map_err(|_no_id| not_understood(line))?, item)
        })
        .collect()
}

/// The outcome of recording the group of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum GroupClaim {
    Done,
    /// The entry is new, and expires at this time, Unix ms.
    Made(i64),
    /// The item belongs to this group, or to none.
    Elsewhere(Option<Id>),
}

/// The lifetime of the entry that names the group of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum EntryLifetime {
    /// At least this many milliseconds: the item is about to be created.
    Begin(u64),
    /// No end: the item exists.
    Keep,
    /// This many milliseconds, if the entry has no end: the item was deleted.
    End(u64),
}

/// Records that an item belongs to a group. The target is the partition of the SKU.
pub(in crate::inventory) async fn claim(
    target: Target<'_>,
    sku: &Id,
    group: &Id,
    lasting: EntryLifetime,
) -> Result<GroupClaim, StoreError> {
    let keys = target.keys();
    let (how, ms) = match lasting {
        EntryLifetime::Begin(ms) => ("begin", ms.to_string()),
        EntryLifetime::Keep => ("keep", String::new()),
        EntryLifetime::End(ms) => ("end", ms.to_string()),
    };
    let mut call = CLAIM.call(2, 6, 256);
    call.arg(keys.inventory_items(target.partition))
        .arg(keys.inventory_group(sku))
        .arg(sku.as_str())
        .arg(group.as_str())
        .arg(how)
        .arg(ms);
    let answers: Vec<String> = target.link.run(&CLAIM, &call).await?;
    let answer = answers.first().map_or("", String::as_str);
    match answer.split_once(' ').unwrap_or((answer, "")) {
        ("done", _) => Ok(GroupClaim::Done),
        ("made", ends) => {
            let ends_ms = ends.parse().map_err(|_no_number| not_understood(answer))?;
            Ok(GroupClaim::Made(ends_ms))
        }
        ("elsewhere", group) => Ok(GroupClaim::Elsewhere(Id::parse(group).ok())),
        _ => Err(not_understood(answer)),
    }
}

/// Deletes an entry that expires at this time, unless another call relies on it.
pub(in crate::inventory) async fn unclaim(target: Target<'_>, sku: &Id, ends_ms: i64) -> Result<(), StoreError> {
    let mut call = UNCLAIM.call(1, 2, 128);
    call.arg(target.keys().inventory_group(sku)).arg(ends_ms);
    let _: u64 = target.link.run(&UNCLAIM, &call).await?;
    Ok(())
}

/// Returns the recorded group of an item.
pub(in crate::inventory) async fn group(link: &Link, sku: &Id) -> Result<Option<Id>, StoreError> {
    let mut cmd = redis::cmd("GET");
    cmd.arg(link.store().keys().inventory_group(sku));
    let group: Option<String> = link.query(&cmd).await?;
    Ok(group.and_then(|group| Id::parse(&group).ok()))
}
