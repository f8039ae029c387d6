//! Every word that the inventory says to Redis, each as one typed function. All keys of a call are of one partition, and so
//! in one slot.

use super::model::{Item, Parts, Record};
use crate::ids::Id;
use crate::store::{Keys, Link, Script, StoreError};
use redis::Cmd;
use std::sync::LazyLock;

/// The most calls about reservations in one script call: enough that Redis's own cost of a call is shared by many, few enough
/// that it is done in a millisecond.
pub const MAX_BATCH: usize = 128;

/// How many holds a sweep ends at most.
const SWEEP: usize = 500;
/// How many sweeps a call makes before it gives up: so a million holds that end together are no obstacle.
const MOST_SWEEPS: usize = 2_000;

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("lua/", $name, ".lua"))))
    };
}

const BOOKS: &str = include_str!("lua/books.lua");
static RESERVE: LazyLock<Script> = script!("reserve", BOOKS);
static CONFIRM: LazyLock<Script> = script!("confirm", BOOKS);
static RELEASE: LazyLock<Script> = script!("release", BOOKS);
static EXTEND: LazyLock<Script> = script!("extend", BOOKS);
static FIND: LazyLock<Script> = script!("find", BOOKS);
static PUT: LazyLock<Script> = script!("put", BOOKS);
static ADJUST: LazyLock<Script> = script!("adjust", BOOKS);
static CONSUME: LazyLock<Script> = script!("consume", BOOKS);
static REMOVE: LazyLock<Script> = script!("remove", BOOKS);
static LOOK: LazyLock<Script> = script!("look", BOOKS);
static LIST: LazyLock<Script> = script!("list", BOOKS);
static SWEEP_SCRIPT: LazyLock<Script> = script!("sweep", BOOKS);
static CLAIM: LazyLock<Script> = script!("claim", "");
static SETTLE: LazyLock<Script> = script!("settle", "");

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
            while sweep(*self, 0).await?.due {
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

/// What is done to reservations, in batches of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Take stock.
    Reserve,
    /// Make a hold final.
    Confirm,
    /// Give stock back.
    Release,
    /// Move the end of a hold.
    Extend,
}

/// One call about a reservation.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub verb: Verb,
    /// As its script wants them.
    args: Vec<String>,
}

impl Op {
    /// `ends_ms`: the end of the hold if it is not the TTL of the terms from now.
    pub fn reserve(id: String, ends_ms: Option<i64>, parts: Option<String>, terms: String) -> Self {
        let ends = ends_ms.map(|ms| ms.to_string()).unwrap_or_default();
        Self {
            verb: Verb::Reserve,
            args: vec![id, ends, parts.unwrap_or_else(|| "*".to_owned()), terms],
        }
    }

    /// One whose parts, if it has any, are not ready to be confirmed.
    pub fn confirm(id: String) -> Self {
        Self {
            verb: Verb::Confirm,
            args: vec![id, String::new(), String::new()],
        }
    }

    /// One whose parts are ready to be confirmed until then.
    pub fn decide(id: String, parts: &Parts, until_ms: i64) -> Self {
        Self {
            verb: Verb::Confirm,
            args: vec![id, parts.text(), until_ms.to_string()],
        }
    }

    pub fn release(id: String) -> Self {
        Self {
            verb: Verb::Release,
            args: vec![id, String::new()],
        }
    }

    /// Forgets one that is still being made with these parts.
    pub fn undo(id: String, parts: &Parts) -> Self {
        Self {
            verb: Verb::Release,
            args: vec![id, parts.text()],
        }
    }

    pub fn extend(id: String, ends: Ends, how: How<'_>) -> Self {
        let (ms, at) = match ends {
            Ends::In(ms) => (ms.to_string(), String::new()),
            Ends::At(at) => (String::new(), at.to_string()),
            Ends::Within(ms, at) => (ms.to_string(), at.to_string()),
        };
        let (how, parts) = match how {
            How::Plain => ("", None),
            How::Again => ("again", None),
            How::Back => ("back", None),
            How::Ready(parts) => ("ready", Some(parts)),
            How::Soon(parts) => ("soon", Some(parts)),
        };
        let parts = parts.map(Parts::text).unwrap_or_default();
        Self {
            verb: Verb::Extend,
            args: vec![id, ms, at, how.to_owned(), parts],
        }
    }
}

/// When a hold is to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ends {
    /// So many milliseconds from now.
    In(u128),
    /// At that Unix millisecond.
    At(i64),
    /// So many milliseconds from now, but not after that Unix millisecond.
    Within(u128, i64),
}

/// How a hold is extended.
#[derive(Debug, Clone, Copy)]
pub(super) enum How<'a> {
    /// If it is held.
    Plain,
    /// Also if it has run out and the stock is there.
    Again,
    /// Not at all: it runs out now, if nobody has moved its end since.
    Back,
    /// These parts of it last as long.
    Ready(&'a Parts),
    /// These parts of it last for a while, and will be lengthened next.
    Soon(&'a Parts),
}

/// What became of a call about a reservation.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Done, or it was so already.
    Done(Record),
    /// Done; it had run out, and its stock was taken again.
    Again(Record),
    /// It was made before, with the same terms.
    There(Record),
    /// It has parts, which come first.
    Parts(Record),
    /// There is no way from its state to what was asked for.
    Wrong(Record),
    /// It was made before, with other terms.
    Differs,
    /// It is being made.
    Opening,
    /// There is none.
    Unknown,
    /// There is no such item in this partition.
    Absent(Id),
    /// There is not enough of an item.
    Short { sku: Id, available: u64 },
}

impl Outcome {
    fn read(answer: &str) -> Result<Self, StoreError> {
        let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        Ok(match word {
            "done" => Self::Done(Record::read(rest)?),
            "again" => Self::Again(Record::read(rest)?),
            "there" => Self::There(Record::read(rest)?),
            "parts" => Self::Parts(Record::read(rest)?),
            "wrong" => Self::Wrong(Record::read(rest)?),
            "differs" => Self::Differs,
            "opening" => Self::Opening,
            "unknown" => Self::Unknown,
            "absent" => Self::Absent(Id::parse(rest).map_err(|_no_id| not_understood(answer))?),
            "short" => {
                let (sku, available) = rest.split_once(' ').ok_or_else(|| not_understood(answer))?;
                Self::Short {
                    sku: Id::parse(sku).map_err(|_no_id| not_understood(answer))?,
                    available: available.parse().map_err(|_no_number| not_understood(answer))?,
                }
            }
            _ => return Err(not_understood(answer)),
        })
    }
}

fn not_understood(answer: &str) -> StoreError {
    StoreError::Answer(format!("inventory: {answer:?}"))
}

/// An outcome for each call, or why it cannot be read.
pub(super) type Outcomes = Vec<Result<Outcome, StoreError>>;

/// Carries out up to [`MAX_BATCH`] calls of the same verb, in order; `None` if so many holds of the partition are over that they
/// are to be ended first.
pub(super) async fn batch_at_once(target: Target<'_>, verb: Verb, ops: &[&Op]) -> Result<Option<Outcomes>, StoreError> {
    let (script, call) = batch_call(target, verb, ops);
    let answers: Vec<String> = target.link.run(script, &call).await?;
    if is_behind(&answers) {
        return Ok(None);
    }
    outcomes(&answers, ops.len()).map(Some)
}

/// The same, once those are ended.
pub(super) async fn batch(target: Target<'_>, verb: Verb, ops: &[&Op]) -> Result<Outcomes, StoreError> {
    let (script, call) = batch_call(target, verb, ops);
    outcomes(&target.run(script, &call).await?, ops.len())
}

fn batch_call(target: Target<'_>, verb: Verb, ops: &[&Op]) -> (&'static Script, Cmd) {
    let parted = target.keys().inventory_parted(target.partition);
    let (script, more): (&'static Script, _) = match verb {
        Verb::Reserve => (&RESERVE, vec![]),
        Verb::Confirm => (&CONFIRM, vec![parted]),
        Verb::Release => (&RELEASE, vec![parted]),
        Verb::Extend => (&EXTEND, vec![parted]),
    };
    let mut call = target.call(script, &more, 5 * ops.len(), 160 * ops.len());
    for op in ops {
        call.arg(&op.args);
    }
    (script, call)
}

fn outcomes(answers: &[String], calls: usize) -> Result<Outcomes, StoreError> {
    if answers.len() != calls {
        let detail = format!("inventory: {} answers to {calls} calls", answers.len());
        return Err(StoreError::Answer(detail));
    }
    Ok(answers.iter().map(|answer| Outcome::read(answer)).collect())
}

fn is_behind(answers: &[String]) -> bool {
    answers.first().is_some_and(|first| first == "behind")
}

/// A reservation, or a part of one, as it is now.
pub(super) async fn find(target: Target<'_>, id: &str) -> Result<Option<Record>, StoreError> {
    let mut call = target.call(&FIND, &[], 2, 64);
    call.arg(id);
    let answer = target.run_one(&FIND, &call).await?;
    match answer.strip_prefix("done ") {
        Some(record) => Record::read(record).map(Some),
        None => Ok(None),
    }
}

/// Which version of an item a change expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whatever there is.
    #[default]
    Any,
    /// Any, but there has to be an item.
    Present,
    /// This one; 0 for no item.
    Version(u64),
}

impl Expected {
    fn word(self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Present => "*".to_owned(),
            Self::Version(version) => version.to_string(),
        }
    }
}

/// What became of a change of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ItemOutcome {
    Created(Item),
    Done(Item),
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
    /// Nothing of the item is in the reservation.
    NotItsGoods,
}

impl ItemOutcome {
    fn read(sku: &Id, answer: &str) -> Result<Self, StoreError> {
        let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        let number = || rest.parse().map_err(|_no_number| not_understood(answer));
        Ok(match word {
            "created" => Self::Created(Item::read(sku, rest)?),
            "done" => Self::Done(Item::read(sku, rest)?),
            "unknown" => Self::Unknown,
            "version" => Self::Version(number()?),
            "below" => Self::Below(number()?),
            "elsewhere" => Self::Elsewhere(Id::parse(rest).ok()),
            "beyond" => Self::Beyond,
            "wrong" => Self::Wrong(Record::read(rest)?),
            "absent" | "differs" => Self::NotItsGoods,
            _ => return Err(not_understood(answer)),
        })
    }
}

/// Sets what is on hand. For an item without a group the partition is its own, and an item of a group is not passed over.
pub(super) async fn put(
    target: Target<'_>,
    sku: &Id,
    quantity: u64,
    expected: Expected,
    group: Option<&Id>,
) -> Result<ItemOutcome, StoreError> {
    let mut more = vec![target.keys().inventory_names(target.partition)];
    if group.is_none() {
        more.push(target.keys().inventory_group(sku));
    }
    let mut call = target.call(&PUT, &more, 5, 64);
    call.arg(sku.as_str())
        .arg(quantity)
        .arg(expected.word())
        .arg(group.map_or("*", |group| group.as_str()));
    ItemOutcome::read(sku, &target.run_one(&PUT, &call).await?)
}

/// Adds to what is on hand.
pub(super) async fn adjust(
    target: Target<'_>,
    sku: &Id,
    delta: i64,
    expected: Expected,
) -> Result<ItemOutcome, StoreError> {
    let mut call = target.call(&ADJUST, &[], 4, 64);
    call.arg(sku.as_str()).arg(delta).arg(expected.word());
    ItemOutcome::read(sku, &target.run_one(&ADJUST, &call).await?)
}

/// Takes what a confirmed reservation has of an item off what is on hand.
pub(super) async fn consume(target: Target<'_>, id: &str, sku: &Id, quantity: u64) -> Result<ItemOutcome, StoreError> {
    let mut call = target.call(&CONSUME, &[], 4, 128);
    call.arg(id).arg(sku.as_str()).arg(quantity);
    ItemOutcome::read(sku, &target.run_one(&CONSUME, &call).await?)
}

/// Deletes an item.
pub(super) async fn remove(target: Target<'_>, sku: &Id, expected: Expected) -> Result<ItemOutcome, StoreError> {
    let more = [target.keys().inventory_names(target.partition)];
    let mut call = target.call(&REMOVE, &more, 3, 64);
    call.arg(sku.as_str()).arg(expected.word());
    ItemOutcome::read(sku, &target.run_one(&REMOVE, &call).await?)
}

/// An item as it is now.
pub(super) async fn look(target: Target<'_>, sku: &Id) -> Result<Option<Item>, StoreError> {
    let mut call = target.call(&LOOK, &[], 2, 64);
    call.arg(sku.as_str());
    match ItemOutcome::read(sku, &target.run_one(&LOOK, &call).await?)? {
        ItemOutcome::Done(item) => Ok(Some(item)),
        _ => Ok(None),
    }
}

/// Up to `count` (at most 500) items of the partition behind a name, by name.
pub(super) async fn list(target: Target<'_>, behind: &str, count: usize) -> Result<Vec<Item>, StoreError> {
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
pub(super) enum Claim {
    Done,
    /// The item belongs to another group, or to none.
    Elsewhere(Option<Id>),
}

/// Says that an item belongs to a group, for ever or for a time. The target is the item's partition without a group.
pub(super) async fn claim(target: Target<'_>, sku: &Id, group: &Id, for_ms: Option<u64>) -> Result<Claim, StoreError> {
    let keys = target.keys();
    let mut call = CLAIM.call(2, 5, 256);
    call.arg(keys.inventory_items(target.partition))
        .arg(keys.inventory_group(sku))
        .arg(sku.as_str())
        .arg(group.as_str())
        .arg(for_ms.map(|ms| ms.to_string()).unwrap_or_default());
    let answers: Vec<String> = target.link.run(&CLAIM, &call).await?;
    Ok(
        match answers.first().and_then(|answer| answer.strip_prefix("elsewhere ")) {
            Some(group) => Claim::Elsewhere(Id::parse(group).ok()),
            None => Claim::Done,
        },
    )
}

/// The group that an item was said to belong to.
pub(super) async fn group(link: &Link, sku: &Id) -> Result<Option<Id>, StoreError> {
    let mut cmd = redis::cmd("GET");
    cmd.arg(link.store().keys().inventory_group(sku));
    let group: Option<String> = link.query(&cmd).await?;
    Ok(group.and_then(|group| Id::parse(&group).ok()))
}

/// What a sweep leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swept {
    /// Whether more holds are over.
    pub due: bool,
    /// Whether there is more to forget.
    pub ended: bool,
    /// Reservations whose parts are to be looked after.
    pub parted: Vec<Id>,
}

/// Ends holds whose time is over and forgets what ended long ago, up to 500 of each; names up to `parted` reservations that the
/// caller is to look after.
pub(super) async fn sweep(target: Target<'_>, parted: usize) -> Result<Swept, StoreError> {
    let more = [target.keys().inventory_parted(target.partition)];
    let mut call = target.call(&SWEEP_SCRIPT, &more, 3, 16);
    call.arg(SWEEP).arg(parted);
    let answers: Vec<String> = target.link.run(&SWEEP_SCRIPT, &call).await?;
    let (first, parted) = answers
        .split_first()
        .ok_or_else(|| StoreError::Answer("sweep: nothing".to_owned()))?;
    Ok(Swept {
        due: first == "more",
        ended: first == "later",
        parted: parted.iter().filter_map(|id| Id::parse(id).ok()).collect(),
    })
}

/// When parts are to be looked after again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// In so many milliseconds.
    In(u64),
    /// Not until something else is decided.
    Never,
    /// Never: they are forgotten, and what stands for them with them.
    Forget,
}

/// Says when the parts of a reservation are to be looked after again, unless it has gone on since it was `seen` as it is there.
pub(super) async fn settle(target: Target<'_>, id: &Id, seen: &str, again: Again) -> Result<(), StoreError> {
    let keys = target.keys();
    let mut call = SETTLE.call(2, 5, 256);
    call.arg(keys.inventory_reservations(target.partition))
        .arg(keys.inventory_parted(target.partition))
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
