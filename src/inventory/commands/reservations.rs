use super::super::record::{Parts, Record};
use super::run::is_behind;
use super::{BOOKS, Target, not_understood, script};
use crate::ids::Id;
use crate::store::{Script, StoreError};
use redis::Cmd;
use std::sync::LazyLock;

/// The most operations in one script call: enough to share the fixed cost of a call, few enough to take about a millisecond.
pub const MAX_BATCH: usize = 128;

static RESERVE: LazyLock<Script> = script!("reserve", BOOKS);
static CONFIRM: LazyLock<Script> = script!("confirm", BOOKS);
static RELEASE: LazyLock<Script> = script!("release", BOOKS);
static EXTEND: LazyLock<Script> = script!("extend", BOOKS);
static FIND: LazyLock<Script> = script!("find", BOOKS);

/// The kind of an operation. A batch has one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Take stock.
    Reserve,
    /// Confirm a hold.
    Confirm,
    /// Release a hold.
    Release,
    /// Extend a hold.
    Extend,
}

/// An operation on a reservation.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct Op {
    pub verb: Verb,
    /// The arguments of its script.
    args: Vec<String>,
}

impl Op {
    /// Reserves goods. `ends_ms` is the end of the hold if it is not the TTL of the terms from now.
    pub fn reserve(id: String, ends_ms: Option<i64>, parts: Option<String>, terms: String) -> Self {
        let ends = ends_ms.map(|ms| ms.to_string()).unwrap_or_default();
        Self {
            verb: Verb::Reserve,
            args: vec![id, ends, parts.unwrap_or_else(|| "*".to_owned()), terms],
        }
    }

    /// Confirms a reservation whose parts, if it has any, are not prepared.
    pub fn confirm(id: String) -> Self {
        Self {
            verb: Verb::Confirm,
            args: vec![id, String::new(), String::new()],
        }
    }

    /// Confirms a reservation whose parts are prepared until `until_ms`.
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

    /// Forgets a reservation that is being created with these parts.
    pub fn undo(id: String, parts: &Parts) -> Self {
        Self {
            verb: Verb::Release,
            args: vec![id, parts.text()],
        }
    }

    pub fn extend(id: String, ends: NewEnd, how: ExtendMode<'_>) -> Self {
        let (ms, at) = match ends {
            NewEnd::In(ms) => (ms.to_string(), String::new()),
            NewEnd::At(at) => (String::new(), at.to_string()),
            NewEnd::Within(ms, at) => (ms.to_string(), at.to_string()),
        };
        let (how, parts) = match how {
            ExtendMode::Plain => ("", None),
            ExtendMode::Again => ("again", None),
            ExtendMode::Back => ("back", None),
            ExtendMode::Ready(parts) => ("ready", Some(parts)),
            ExtendMode::Soon(parts) => ("soon", Some(parts)),
        };
        let parts = parts.map(Parts::text).unwrap_or_default();
        Self {
            verb: Verb::Extend,
            args: vec![id, ms, at, how.to_owned(), parts],
        }
    }
}

/// The new end of a hold.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) enum NewEnd {
    /// Milliseconds from now.
    In(u128),
    /// Unix milliseconds.
    At(i64),
    /// Milliseconds from now, but not after this time in Unix milliseconds.
    Within(u128, i64),
}

/// The mode of an extension.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) enum ExtendMode<'a> {
    /// Only if it is held.
    Plain,
    /// Also if it has expired and its stock is available.
    Again,
    /// Expires the hold now, if its end has not been moved since.
    Back,
    /// These parts last as long.
    Ready(&'a Parts),
    /// These parts last for a while, and are extended next.
    Soon(&'a Parts),
}

/// The outcome of an operation.
#[derive(Debug, Clone)]
pub(in crate::inventory) enum OpOutcome {
    /// Done, now or before.
    Done(Record),
    /// Done: it had expired, and took its stock again.
    Again(Record),
    /// It was created before with the same terms.
    There(Record),
    /// It has parts that have to be prepared first.
    Parts(Record),
    /// Its state does not allow the operation.
    Wrong(Record),
    /// It was created before with other terms.
    Differs,
    /// It is being created.
    Opening,
    /// There is no such reservation.
    Unknown,
    /// There is no such item in this partition.
    Absent(Id),
    /// Less of an item is available than requested.
    Short { sku: Id, available: u64 },
}

impl OpOutcome {
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

/// The outcome of each operation, or the reason why it cannot be parsed.
pub(in crate::inventory) type OpOutcomes = Vec<Result<OpOutcome, StoreError>>;

/// Runs up to [`MAX_BATCH`] operations of one kind, in order. Returns `None` if too many holds of the partition are due, so that they have to
/// be expired first.
pub(in crate::inventory) async fn batch_at_once(
    target: Target<'_>,
    verb: Verb,
    ops: &[&Op],
) -> Result<Option<OpOutcomes>, StoreError> {
    let (script, call) = batch_call(target, verb, ops);
    let answers: Vec<String> = target.link.run(script, &call).await?;
    if is_behind(&answers) {
        return Ok(None);
    }
    outcomes(&answers, ops.len()).map(Some)
}

/// Runs up to [`MAX_BATCH`] operations of one kind, after it expired the holds that are due.
pub(in crate::inventory) async fn batch(target: Target<'_>, verb: Verb, ops: &[&Op]) -> Result<OpOutcomes, StoreError> {
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

fn outcomes(answers: &[String], calls: usize) -> Result<OpOutcomes, StoreError> {
    if answers.len() != calls {
        let detail = format!("inventory: {} answers to {calls} calls", answers.len());
        return Err(StoreError::Answer(detail));
    }
    Ok(answers.iter().map(|answer| OpOutcome::read(answer)).collect())
}

/// Reads a reservation, or a part of one.
pub(in crate::inventory) async fn find(target: Target<'_>, id: &str) -> Result<Option<Record>, StoreError> {
    let mut call = target.call(&FIND, &[], 2, 64);
    call.arg(id);
    let answer = target.run_one(&FIND, &call).await?;
    match answer.strip_prefix("done ") {
        Some(record) => Record::read(record).map(Some),
        None => Ok(None),
    }
}
