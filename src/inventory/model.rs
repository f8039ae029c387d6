//! Items and reservations, and their text form in Redis.

use crate::ids::{ExternalId, Id};
use crate::store::{Keys, StoreError};
use std::fmt::Write;
use std::time::Duration;

/// The largest quantity: 2⁵³ − 1, up to which Lua and every JSON parser represent integers exactly.
pub const MAX_QUANTITY: u64 = (1 << 53) - 1;
/// The longest duration of a hold, and of one extension: a week.
pub const MAX_TTL: Duration = Duration::from_hours(168);
/// The most items of one reservation.
pub const MAX_GOODS: usize = 50;

/// An item of the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its SKU.
    pub sku: Id,
    /// The quantity on hand, including what is held and confirmed.
    pub quantity: u64,
    /// The quantity that is held.
    pub held: u64,
    /// The quantity that is confirmed and not consumed.
    pub confirmed: u64,
    /// Increases by one with every change of the quantity. Reservations do not change it. The first version has no meaning, but it is
    /// larger than every earlier version of an item with this SKU.
    pub version: u64,
    /// When the quantity was last changed, Unix milliseconds by Redis's clock.
    pub updated_ms: i64,
    /// The group whose items are reserved together in one step.
    pub group: Option<Id>,
}

impl Item {
    /// Returns what is held and confirmed; more than the quantity only while the item is [oversold](Self::oversold).
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.held + self.confirmed
    }

    /// Returns what can be reserved now.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.quantity.saturating_sub(self.reserved())
    }

    /// Returns by how much what is held and confirmed exceeds the quantity, because a count found less. Nothing can be reserved then.
    #[must_use]
    pub const fn oversold(&self) -> u64 {
        self.reserved().saturating_sub(self.quantity)
    }

    /// Reads `QUANTITY HELD CONFIRMED VERSION UPDATED BORN GROUP`.
    pub(super) fn read(sku: &Id, text: &str) -> Result<Self, StoreError> {
        let mut words = text.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let numbers = (|| Some([number()?, number()?, number()?, number()?, number()?, number()?]))();
        let (Some([quantity, held, confirmed, version, updated, _born]), Some(group)) = (numbers, words.next()) else {
            return Err(unreadable(text));
        };
        Ok(Self {
            sku: sku.clone(),
            quantity,
            held,
            confirmed,
            version,
            updated_ms: i64::try_from(updated).unwrap_or(i64::MAX),
            group: Id::parse(group).ok(),
        })
    }
}

/// A quantity of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goods {
    /// The item.
    pub sku: Id,
    /// 1 to [`MAX_QUANTITY`].
    pub quantity: u64,
}

/// A new quantity of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnHand {
    /// 0 to [`MAX_QUANTITY`].
    pub quantity: u64,
    /// Whether it may be less than what is held and confirmed, because the goods were counted.
    pub may_be_oversold: bool,
}

impl From<u64> for OnHand {
    fn from(quantity: u64) -> Self {
        Self {
            quantity,
            may_be_oversold: false,
        }
    }
}

/// A portion of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portion {
    /// A quantity of its only item.
    Quantity(u64),
    /// Quantities of several items.
    Goods(Vec<Goods>),
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The stock is taken until the hold expires.
    Held,
    /// The stock is taken permanently.
    Confirmed,
    /// The hold was released, and its stock given back.
    Released,
    /// The hold expired, and its stock was given back.
    Expired,
    /// The confirmed stock was returned.
    Returned,
}

impl State {
    /// Returns the name of the state in the HTTP interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Returned => "returned",
        }
    }
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: Id,
    /// Its state.
    pub state: State,
    /// Its goods, by SKU.
    pub goods: Vec<Goods>,
    /// The owner, if the client named one.
    pub owner: Option<ExternalId>,
    /// When it was created, Unix milliseconds by Redis's clock, like the following.
    pub created_ms: i64,
    /// When the hold expires or expired.
    pub expires_ms: i64,
    /// When it was confirmed, released or returned, or has expired.
    pub ended_ms: Option<i64>,
}

/// The origin of the id of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Generated at random.
    New,
    /// Chosen by the client. A repeated call with the same id gets the same answer. It must not have the form of generated ids: `r`, a
    /// hexadecimal digit and a dot.
    Id(Id),
    /// Derived from an idempotency key and the first item. The same key for another item means another reservation. The id is in the
    /// partition of the item, so it needs no extra call.
    ItemKey(ExternalId),
    /// Derived from an idempotency key alone. It is unrelated to [`Self::ItemKey`] with the same key.
    Key(ExternalId),
}

/// The terms of a reservation, as requested. A repeated request with the same id must have the same terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The first duration of the hold.
    pub ttl: Duration,
    /// The owner, if the client names one.
    pub owner: Option<ExternalId>,
    /// The goods to reserve.
    pub goods: Vec<Goods>,
}

impl Terms {
    /// Returns `TTL_MS OWNER SKU QUANTITY …`, the owner percent-encoded. The goods are sorted by SKU, so that equal terms have the same text
    /// in any order.
    pub(super) fn text(&self) -> String {
        let mut goods: Vec<&Goods> = self.goods.iter().collect();
        goods.sort_unstable();
        let mut text = String::with_capacity(32 * (goods.len() + 1));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{} {}",
            self.ttl.as_millis(),
            self.owner.as_ref().map_or_else(|| "*".to_owned(), ExternalId::encoded)
        );
        for Goods { sku, quantity } in goods {
            let _ = write!(text, " {sku} {quantity}");
        }
        text
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let ttl = Duration::from_millis(words.next()?.parse().ok()?);
        let owner = Some(words.next()?).filter(|owner| *owner != "*");
        let owner = owner.and_then(ExternalId::decode);
        let mut goods = Vec::new();
        while let Some(sku) = words.next() {
            goods.push(Goods {
                sku: Id::parse(sku).ok()?,
                quantity: words.next()?.parse().ok()?,
            });
        }
        Some(Self { ttl, owner, goods })
    }
}

pub(super) fn unreadable(text: &str) -> StoreError {
    StoreError::Answer(format!("inventory: {text:?}"))
}

/// Returns whether an id has the form of generated ids: `r`, a hexadecimal digit and a dot.
pub(super) fn is_ours(id: &Id) -> bool {
    partition_in(id).is_some()
}

fn partition_in(id: &Id) -> Option<u16> {
    match id.as_bytes() {
        [b'r', digit @ (b'0'..=b'9' | b'a'..=b'f'), b'.', ..] => char::from(*digit)
            .to_digit(16)
            .and_then(|digit| u16::try_from(digit).ok()),
        _ => None,
    }
}

/// Returns the partition of the record of a reservation: a generated id contains it, and an id of a client is hashed.
#[must_use]
pub(super) fn home_of(id: &Id) -> u16 {
    partition_in(id).unwrap_or_else(|| Keys::inventory_partition(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    #[test]
    fn an_item_is_read_to_the_last_digit() {
        let item = Item::read(&id("s"), "9007199254740991 1 2 7 1700000000000 1600000000000 g-1").unwrap();
        assert_eq!((item.quantity, item.reserved(), item.version), (MAX_QUANTITY, 3, 7));
        assert_eq!(item.available(), MAX_QUANTITY - 3);
        assert_eq!(item.group, Some(id("g-1")));
        assert_eq!(Item::read(&id("s"), "1 0 0 1 2 3 *").unwrap().group, None);
        assert!(Item::read(&id("s"), "1 0 0 1 2").is_err());
    }

    #[test]
    fn terms_are_the_same_text_in_any_order() {
        let goods = |list: &[(&str, u64)]| {
            list.iter()
                .map(|(sku, quantity)| Goods {
                    sku: id(sku),
                    quantity: *quantity,
                })
                .collect()
        };
        let terms = |owner, goods| Terms {
            ttl: Duration::from_secs(2),
            owner: Some(ExternalId::parse(owner).unwrap()),
            goods,
        };
        let (one, other) = (
            terms("rider-7", goods(&[("b", 1), ("a", 2)])),
            terms("rider-7", goods(&[("a", 2), ("b", 1)])),
        );
        assert_eq!(one.text(), "2000 rider-7 a 2 b 1");
        assert_eq!(one.text(), other.text());
        assert_eq!(Terms::read(&one.text()), Some(other));
        let foreign = terms("* \"é\" %2F", goods(&[("a", 2)]));
        assert_eq!(foreign.text(), "2000 %2A%20%22%C3%A9%22%20%252F a 2");
        assert_eq!(Terms::read(&foreign.text()), Some(foreign));
    }

    #[test]
    fn a_generated_name_contains_its_partition() {
        assert_eq!(home_of(&id("rb.0123")), 11);
        assert_eq!(home_of(&id("r0.x")), 0);
        for given in ["order-77", "rg.x", "r.x", "r", "rB.x"] {
            assert_eq!(home_of(&id(given)), Keys::inventory_partition(given), "{given}");
        }
    }
}
