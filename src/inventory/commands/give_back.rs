use super::super::model::{Portion, Record};
use super::{BOOKS, Target, not_understood, push_once, script};
use crate::ids::{ExternalId, Id};
use crate::once::Once;
use crate::store::{Script, StoreError};
use std::sync::LazyLock;

static GIVE_BACK: LazyLock<Script> = script!("give_back", BOOKS);
static OWNED: LazyLock<Script> = script!("owned", BOOKS);

/// Holds that one call looks at.
const LOOKED_AT: usize = 1_000;

/// What is given back.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) enum What<'a> {
    /// So much of what is held.
    Held(&'a Portion),
    /// So much of what is confirmed, or all of it.
    Confirmed(Option<&'a Portion>),
    /// All that a part has.
    Part,
    /// Of a part, so that it follows its reservation: all but so much of each of these items.
    AllBut(&'a Portion),
}

/// What came of giving something back.
#[derive(Debug, Clone)]
pub(in crate::inventory) enum Given {
    /// Done, or it was so already.
    Done(Record),
    /// As a call with the same idempotency key left it.
    Before(Record),
    /// The idempotency key was used with another body.
    Reused,
    /// It is in another state.
    Wrong(Record),
    /// There is none.
    Unknown,
    /// It has several items, and none was named.
    Several,
    /// It has no more of the item.
    Beyond { sku: Id, quantity: u64 },
    /// It has left, or the item is gone.
    Left,
}

/// Gives goods of a reservation back; once for each idempotency key.
pub(in crate::inventory) async fn give_back(
    target: Target<'_>,
    id: &str,
    what: What<'_>,
    once: Option<&Once>,
) -> Result<Given, StoreError> {
    let (from, portion) = match what {
        What::Held(portion) => ("h", Some(portion)),
        What::Confirmed(portion) => ("c", portion),
        What::Part => ("p", None),
        What::AllBut(left) => ("f", Some(left)),
    };
    let more = [target.keys().inventory_parted(target.partition), target.once_key(once)];
    let mut call = target.call(&GIVE_BACK, &more, 8, 256);
    call.arg(id).arg(from);
    push_once(&mut call, once);
    match portion {
        None => {}
        Some(Portion::Quantity(quantity)) => drop(call.arg("*").arg(quantity)),
        Some(Portion::Goods(goods)) => {
            for goods in goods {
                call.arg(goods.sku.as_str()).arg(goods.quantity);
            }
        }
    }
    let answer = target.run_one(&GIVE_BACK, &call).await?;
    let (word, rest) = answer.split_once(' ').unwrap_or((&answer, ""));
    Ok(match word {
        "done" => Given::Done(Record::read(rest)?),
        "before" => Given::Before(Record::read(rest)?),
        "reused" => Given::Reused,
        "wrong" => Given::Wrong(Record::read(rest)?),
        "unknown" => Given::Unknown,
        "several" => Given::Several,
        "left" => Given::Left,
        "beyond" => {
            let (sku, quantity) = rest.split_once(' ').ok_or_else(|| not_understood(&answer))?;
            Given::Beyond {
                sku: Id::parse(sku).map_err(|_no_id| not_understood(&answer))?,
                quantity: quantity.parse().map_err(|_no_number| not_understood(&answer))?,
            }
        }
        _ => return Err(not_understood(&answer)),
    })
}

/// Whether a call with this idempotency key was carried out.
pub(in crate::inventory) async fn is_known(target: Target<'_>, once: Option<&Once>) -> Result<bool, StoreError> {
    let Some(_) = once else { return Ok(false) };
    let known: u64 = target
        .link
        .query(redis::cmd("EXISTS").arg(target.once_key(once)))
        .await?;
    Ok(known > 0)
}

/// Where a look at the holds of a partition goes on: the end and the id of the last one that was looked at.
pub(in crate::inventory) type Behind = (i64, String);

/// Up to `most` holds of an owner in a partition behind one, and where to go on if there are more.
pub(in crate::inventory) async fn owned(
    target: Target<'_>,
    owner: &ExternalId,
    (ends_ms, id): &Behind,
    most: usize,
) -> Result<(Vec<(Id, Record)>, Option<Behind>), StoreError> {
    let mut call = target.call(&OWNED, &[], 6, 320);
    call.arg(owner.encoded()).arg(ends_ms).arg(id).arg(LOOKED_AT).arg(most);
    let answers = target.run(&OWNED, &call).await?;
    let (first, holds) = answers.split_first().ok_or_else(|| not_understood("nothing"))?;
    let next = match first.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["end"] => None,
        ["next", ends, id] => {
            let ends_ms = ends.parse().map_err(|_no_number| not_understood(first))?;
            Some((ends_ms, id.to_owned()))
        }
        _ => return Err(not_understood(first)),
    };
    let hold = |answer: &String| {
        let (id, record) = answer.split_once(' ').ok_or_else(|| not_understood(answer))?;
        let id = Id::parse(id).map_err(|_no_id| not_understood(answer))?;
        Ok((id, Record::read(record)?))
    };
    Ok((holds.iter().map(hold).collect::<Result<_, StoreError>>()?, next))
}
