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
    /// When it was confirmed, released or expired.
    pub ended_ms: Option<i64>,
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
    /// in whichever order they came.
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

    fn read(text: &str) -> Option<Self> {
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

/// The parts of a reservation whose goods are not in its own partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Distinguishes these parts from those of another reservation that had the same id.
    pub nonce: String,
    pub partitions: Vec<u16>,
}

impl Parts {
    /// Returns `NONCE:PARTITION,PARTITION…`.
    pub fn text(&self) -> String {
        let partitions: Vec<String> = self.partitions.iter().map(ToString::to_string).collect();
        format!("{}:{}", self.nonce, partitions.join(","))
    }

    fn read(text: &str) -> Option<Self> {
        let (nonce, partitions) = text.split_once(':')?;
        Some(Self {
            nonce: nonce.to_owned(),
            partitions: partitions.split(',').map(|p| p.parse().ok()).collect::<Option<_>>()?,
        })
    }

    /// Returns the id of a part, the same in every partition. No id has a slash, so a client cannot name a part.
    pub fn id_of(&self, id: &Id) -> String {
        format!("{id}/{}", self.nonce)
    }
}

/// A reservation as stored in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// `None` while it is being created.
    pub state: Option<State>,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub ended_ms: i64,
    pub parts: Option<Parts>,
    /// The items from which the goods were taken, and what is left of the goods: `BORN[*LEFT],…`. For goods in other partitions, BORN is
    /// the decision to consume them.
    borns: String,
    pub terms: Terms,
}

impl Record {
    /// Reads `STATE CREATED EXPIRES ENDED PARTS BORNS TERMS`.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        Self::parse(text).ok_or_else(|| unreadable(text))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(7, ' ');
        let state = match words.next()? {
            "o" => None,
            "h" => Some(State::Held),
            "c" => Some(State::Confirmed),
            "r" => Some(State::Released),
            "e" => Some(State::Expired),
            "b" => Some(State::Returned),
            _ => return None,
        };
        let mut number = || words.next()?.parse::<i64>().ok();
        let (created_ms, expires_ms, ended_ms) = (number()?, number()?, number()?);
        let parts = match words.next()? {
            "*" => None,
            parts => Some(Parts::read(parts)?),
        };
        let borns = words.next()?.to_owned();
        Some(Self {
            state,
            created_ms,
            expires_ms,
            ended_ms,
            parts,
            borns,
            terms: Terms::read(words.next()?)?,
        })
    }

    /// Returns `STATE EXPIRES PARTS BORNS`, which shows whether the record has changed since.
    pub fn seen(&self) -> String {
        let state = match self.state {
            None => 'o',
            Some(State::Held) => 'h',
            Some(State::Confirmed) => 'c',
            Some(State::Released) => 'r',
            Some(State::Expired) => 'e',
            Some(State::Returned) => 'b',
        };
        let parts = self.parts.as_ref().map_or_else(|| "*".to_owned(), Parts::text);
        format!("{state} {} {parts} {}", self.expires_ms, self.borns)
    }

    /// Returns for each of the goods what is left, where that differs from the terms.
    fn left(&self) -> impl Iterator<Item = Option<u64>> {
        let left = |good: &str| good.split_once('*')?.1.parse().ok();
        self.borns.split(',').map(left)
    }

    /// Returns what is left of the goods of which some were given back; 0 for those of which nothing is left.
    pub fn left_in_part(&self) -> Vec<Goods> {
        let goods = self.terms.goods.iter().zip(self.left());
        let goods = goods.filter_map(|(goods, left)| Some((goods.sku.clone(), left?)));
        goods.map(|(sku, quantity)| Goods { sku, quantity }).collect()
    }

    /// Returns what is left of the goods.
    pub fn goods(&self) -> Vec<Goods> {
        let mut goods = self.terms.goods.clone();
        for (goods, left) in goods.iter_mut().zip(self.left()) {
            goods.quantity = left.unwrap_or(goods.quantity);
        }
        goods.retain(|goods| goods.quantity > 0);
        goods
    }

    /// Returns the terms with what is left of the goods.
    pub fn remaining(&self) -> Terms {
        Terms {
            goods: self.goods(),
            ..self.terms.clone()
        }
    }

    /// Returns whether the goods of an item in this part were consumed.
    pub fn has_left(&self, sku: &Id) -> bool {
        let born = |good: &str| good.split('*').next() == Some("0");
        let mut goods = self.terms.goods.iter().zip(self.borns.split(',').map(born));
        goods.any(|(goods, has_left)| goods.sku == *sku && has_left)
    }

    /// Returns the goods in other partitions that the record decided to consume; see `lua/consume.lua`.
    pub fn leaving(&self) -> Vec<Goods> {
        if self.parts.is_none() {
            return Vec::new();
        }
        let is_decided = |good: &str| good.split('*').next() != Some("0");
        let goods = self.terms.goods.iter().zip(self.borns.split(',').zip(self.left()));
        let goods = goods.filter(|(_, (good, left))| is_decided(good) && *left != Some(0));
        goods
            .map(|(goods, (_, left))| Goods {
                sku: goods.sku.clone(),
                quantity: left.unwrap_or(goods.quantity),
            })
            .collect()
    }

    /// Returns the reservation as it is.
    pub fn reservation(self, id: &Id) -> Reservation {
        Reservation {
            id: id.clone(),
            // Only the call that creates a reservation sees one without a state.
            state: self.state.unwrap_or(State::Held),
            goods: self.goods(),
            owner: self.terms.owner,
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
            ended_ms: (self.ended_ms > 0).then_some(self.ended_ms),
        }
    }

    /// Returns the reservation as it was when it was created.
    pub fn into_made(self, id: &Id) -> Reservation {
        let ttl_ms = i64::try_from(self.terms.ttl.as_millis()).unwrap_or(i64::MAX);
        Self {
            state: Some(State::Held),
            expires_ms: self.created_ms.saturating_add(ttl_ms),
            ended_ms: 0,
            borns: String::new(),
            ..self
        }
        .reservation(id)
    }
}

fn unreadable(text: &str) -> StoreError {
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
    fn a_record_is_read_with_its_parts() {
        let record = Record::read("c 1700000000000 1700000002000 1700000001000 0a1b:3,12 0 2000 * a 2 b 1").unwrap();
        assert_eq!(record.state, Some(State::Confirmed));
        let parts = record.parts.clone().unwrap();
        assert_eq!(
            (parts.text().as_str(), parts.id_of(&id("x")).as_str()),
            ("0a1b:3,12", "x/0a1b")
        );
        assert_eq!(record.seen(), "c 1700000002000 0a1b:3,12 0");
        assert_eq!(record.clone().reservation(&id("x")).ended_ms, Some(1_700_000_001_000));
        assert_eq!(record.leaving(), []);
        let leaving = Record::read("c 1 2 3 0a1b:3,12 1,2*0,2*3,0 2000 * a 2 b 1 c 5 d 1").unwrap();
        let leaving: Vec<_> = leaving
            .leaving()
            .iter()
            .map(|goods| (goods.sku.to_string(), goods.quantity))
            .collect();
        assert_eq!(leaving, [("a".to_owned(), 2), ("c".to_owned(), 3)]);
        assert!(Record::read("x 1 2 3 * 0 2000 * a 2").is_err());
        let some = Record::read("c 1700000000000 1700000002000 1 * 16000*1,0,17*0 2000 * a 2 b 1 c 5").unwrap();
        let quantities =
            |reservation: Reservation| reservation.goods.iter().map(|goods| goods.quantity).collect::<Vec<_>>();
        assert_eq!(quantities(some.clone().reservation(&id("x"))), [1, 1]);
        assert_eq!(quantities(some.into_made(&id("x"))), [2, 1, 5]);
    }

    #[test]
    fn a_name_of_ours_says_its_partition() {
        assert_eq!(home_of(&id("rb.0123")), 11);
        assert_eq!(home_of(&id("r0.x")), 0);
        for given in ["order-77", "rg.x", "r.x", "r", "rB.x"] {
            assert_eq!(home_of(&id(given)), Keys::inventory_partition(given), "{given}");
        }
    }
}
