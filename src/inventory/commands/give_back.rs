use super::super::model::Portion;
use super::super::record::Record;
use super::{BOOKS, Target, not_understood, push_once, script};
use crate::ids::{ExternalId, Id};
use crate::once::Once;
use crate::store::{Script, StoreError};
use std::sync::LazyLock;

static GIVE_BACK: LazyLock<Script> = script!("give_back", BOOKS);
static OWNED: LazyLock<Script> = script!("owned", BOOKS);

/// Holds that one call examines.
const LOOKED_AT: usize = 1_000;

/// The goods that a call gives back.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory) enum GiveBackScope<'a> {
    /// A portion of a hold.
    Held(&'a Portion),
    /// A portion of a confirmed reservation, or all of it.
    Confirmed(Option<&'a Portion>),
    /// All goods of a part.
    Part,
    /// The goods of a part except these quantities, so that it follows its reservation.
    AllBut(&'a Portion),
}

/// The outcome of a call that gives goods back.
#[derive(Debug, Clone)]
pub(in crate::inventory) enum GiveBackOutcome {
    /// Given back, now or before.
    Done(Record),
    /// The answer of an earlier call with the same idempotency key.
    Before(Record),
    /// The idempotency key was used with another body.
    Reused,
    /// The reservation is in another state.
    Wrong(Record),
    /// There is no such reservation.
    Unknown,
    /// The reservation has several items, and the call names none.
    Several,
    /// The reservation has only this quantity of the item.
    Beyond { sku: Id, quantity: u64 },
    /// The goods were consumed, or their item was deleted.
    Left,
}

/// Gives goods of a reservation back, once per idempotency key.
pub(in crate::inventory) async fn give_back(
    target: Target<'_>,
    id: &str,
    what: GiveBackScope<'_>,
    once: Option<&Once>,
) -> Result<GiveBackOutcome, StoreError> {
    let (from, portion) = match what {
        GiveBackScope::Held(portion) => ("h", Some(portion)),
        GiveBackScope::Confirmed(portion) => ("c", portion),
        GiveBackScope::Part => ("p", None),
        GiveBackScope::AllBut(left) => ("f", Some(left)),
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
        "done" => GiveBackOutcome::Done(Record::read(rest)?),
        "before" => GiveBackOutcome::Before(Record::read(rest)?),
        "reused" => GiveBackOutcome::Reused,
        "wrong" => GiveBackOutcome::Wrong(Record::read(rest)?),
        "unknown" => GiveBackOutcome::Unknown,
        "several" => GiveBackOutcome::Several,
        "left" => GiveBackOutcome::Left,
        "beyond" => {
            let (sku, quantity) = rest.split_once(' ').ok_or_else(|| not_understood(&answer))?;
            GiveBackOutcome::Beyond {
                sku: Id::parse(sku).map_err(|_no_id| not_understood(&answer))?,
                quantity: quantity.parse().map_err(|_no_number| not_understood(&answer))?,
            }
        }
        _ => return Err(not_understood(&answer)),
    })
}

/// Returns whether a call with this idempotency key was carried out.
pub(in crate::inventory) async fn is_known(target: Target<'_>, once: Option<&Once>) -> Result<bool, StoreError> {
    let Some(_) = once else { return Ok(false) };
    let known: u64 = target
        .link
        .query(redis::cmd("EXISTS").arg(target.once_key(once)))
        .await?;
    Ok(known > 0)
}

/// The position in the holds of a partition: the expiry time and the id of the last hold that was examined.
pub(in crate::inventory) type HoldPosition = (i64, String);

/// Returns up to `most` holds of an owner in a partition after a position, and the next position if there are more.
pub(in crate::inventory) async fn owned(
    target: Target<'_>,
    owner: &ExternalId,
    (ends_ms, id): &HoldPosition,
    most: usize,
) -> Result<(Vec<(Id, Record)>, Option<HoldPosition>), StoreError> {
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
