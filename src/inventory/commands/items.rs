use super::super::model::{Goods, Item, OnHand, Record};
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

/// Which version of an item a change expects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whatever there is.
    #[default]
    Any,
    /// Any, but there has to be an item.
    Present,
    /// This one; 0 for no item.
    Version(u64),
    /// One of these.
    OneOf(Vec<u64>),
}

impl Expected {
    /// As `lua/expected.lua` has it.
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

/// What became of a change of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum ItemOutcome {
    Created(Item),
    Done(Item),
    /// As a call with the same idempotency key left it.
    Before(Item),
    /// The idempotency key was used with another body.
    Reused,
    Unknown,
    /// It has another version; 0 for none at all.
    Version(u64),
    /// So much is reserved.
    Below(u64),
    /// It belongs to that group, or to none.
    Elsewhere(Option<Id>),
    /// 2⁵³ and more.
    Beyond,
    /// Not confirmed but this.
    Wrong(Record),
    /// It has parts elsewhere, and it is decided that the goods leave.
    Parts(Record),
    /// Nothing of the item is in the reservation.
    NotItsGoods,
    /// Only so much of it is on hand.
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

/// Sets what is on hand. For an item without a group the partition is its own, and an item of a group is not passed over.
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

/// Adds to what is on hand; once for each idempotency key.
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

/// Takes what a confirmed reservation has of an item off what is on hand. Of one with parts elsewhere this decides it.
pub(in crate::inventory) async fn consume(
    target: Target<'_>,
    id: &str,
    goods: &Goods,
) -> Result<ItemOutcome, StoreError> {
    consume_or_undo(target, id, goods, "").await
}

/// Takes back what one call of [`consume`] has decided about a reservation with parts elsewhere, unless another has decided it as well.
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

/// An item as it is now.
pub(in crate::inventory) async fn look(target: Target<'_>, sku: &Id) -> Result<Option<Item>, StoreError> {
    let mut call = target.call(&LOOK, &[], 2, 64);
    call.arg(sku.as_str());
    match ItemOutcome::read(sku, &target.run_one(&LOOK, &call).await?)? {
        ItemOutcome::Done(item) => Ok(Some(item)),
        _ => Ok(None),
    }
}

/// Up to `count` (at most 500) items of the partition behind a name, by name.
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

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inventory) enum Claim {
    Done,
    /// Nobody had claimed it before; the claim ends then, Unix ms.
    Made(i64),
    /// The item belongs to another group, or to none.
    Elsewhere(Option<Id>),
}

/// How long an item is said to belong to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum Lasting {
    /// So many milliseconds at least: it is about to be made there.
    Begin(u64),
    /// For ever: it is there.
    Keep,
    /// So many milliseconds, if it would be for ever: it is gone.
    End(u64),
}

/// Says that an item belongs to a group. The target is the item's partition without a group.
pub(in crate::inventory) async fn claim(
    target: Target<'_>,
    sku: &Id,
    group: &Id,
    lasting: Lasting,
) -> Result<Claim, StoreError> {
    let keys = target.keys();
    let (how, ms) = match lasting {
        Lasting::Begin(ms) => ("begin", ms.to_string()),
        Lasting::Keep => ("keep", String::new()),
        Lasting::End(ms) => ("end", ms.to_string()),
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
        ("done", _) => Ok(Claim::Done),
        ("made", ends) => {
            let ends_ms = ends.parse().map_err(|_no_number| not_understood(answer))?;
            Ok(Claim::Made(ends_ms))
        }
        ("elsewhere", group) => Ok(Claim::Elsewhere(Id::parse(group).ok())),
        _ => Err(not_understood(answer)),
    }
}

/// Takes a claim back that was made until then, unless somebody else counts on it by now.
pub(in crate::inventory) async fn unclaim(target: Target<'_>, sku: &Id, ends_ms: i64) -> Result<(), StoreError> {
    let mut call = UNCLAIM.call(1, 2, 128);
    call.arg(target.keys().inventory_group(sku)).arg(ends_ms);
    let _: u64 = target.link.run(&UNCLAIM, &call).await?;
    Ok(())
}

/// The group that an item was said to belong to.
pub(in crate::inventory) async fn group(link: &Link, sku: &Id) -> Result<Option<Id>, StoreError> {
    let mut cmd = redis::cmd("GET");
    cmd.arg(link.store().keys().inventory_group(sku));
    let group: Option<String> = link.query(&cmd).await?;
    Ok(group.and_then(|group| Id::parse(&group).ok()))
}
