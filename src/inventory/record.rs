//! Reservations as the scripts store them.

use super::model::{Goods, Reservation, State, Terms, unreadable};
use crate::ids::Id;
use crate::store::StoreError;

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
    pub fn was_consumed(&self, sku: &Id) -> bool {
        let born = |good: &str| good.split('*').next() == Some("0");
        let mut goods = self.terms.goods.iter().zip(self.borns.split(',').map(born));
        goods.any(|(goods, was_consumed)| goods.sku == *sku && was_consumed)
    }

    /// Returns the goods in other partitions that the record decided to consume; see `lua/consume.lua`.
    pub fn decided(&self) -> Vec<Goods> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
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
        assert_eq!(record.decided(), []);
        let record = Record::read("c 1 2 3 0a1b:3,12 1,2*0,2*3,0 2000 * a 2 b 1 c 5 d 1").unwrap();
        let decided: Vec<_> = record
            .decided()
            .iter()
            .map(|goods| (goods.sku.to_string(), goods.quantity))
            .collect();
        assert_eq!(decided, [("a".to_owned(), 2), ("c".to_owned(), 3)]);
        assert!(Record::read("x 1 2 3 * 0 2000 * a 2").is_err());
        let some = Record::read("c 1700000000000 1700000002000 1 * 16000*1,0,17*0 2000 * a 2 b 1 c 5").unwrap();
        let quantities =
            |reservation: Reservation| reservation.goods.iter().map(|goods| goods.quantity).collect::<Vec<_>>();
        assert_eq!(quantities(some.clone().reservation(&id("x"))), [1, 1]);
        assert_eq!(quantities(some.into_made(&id("x"))), [2, 1, 5]);
    }
}
