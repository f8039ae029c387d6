//! Reservations: taking stock and what becomes of it.

use super::Inventory;
use super::check;
use super::commands::{self, Ends, How, Op, Outcome};
use super::error::InventoryError;
use super::keys::INVENTORY_PARTITIONS;
use super::model::{Goods, Parts, Record, Reservation, Terms, home_of};
use super::stock::MOST_MOVES;
use crate::ids::{ExternalId, Id};
use crate::runtime::{GiveBack, Undelivered};
use crate::store::{Keys, StoreError};
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use uuid::{Builder, Uuid};

/// A reservation that was not made by then is not made any more.
const LONGEST_MAKING: Duration = Duration::from_secs(30);

/// How a reservation is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// By us.
    New,
    /// By its client. Whoever asks again by the same id gets the same answer. Not one that looks like ours: `r`, a
    /// hexadecimal digit and a dot.
    Id(Id),
    /// By us, after a key of the client's and the first item: the same key on that item,
    /// the same answer; on another item it means another reservation. It is recorded where the item is, so for one item this
    /// costs nothing.
    ItemKey(ExternalId),
    /// By us, after a key of the client's, wherever the items are; it has nothing to do with the same key on an item.
    Key(ExternalId),
}

/// A reservation as it was made, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// As it was when it was made; for how it is now, look at it by its id.
    pub reservation: Reservation,
    /// Whether it was made before, by the same id or key.
    pub before: bool,
}

impl Inventory {
    /// Takes stock, all of it or none, until the hold ends, is confirmed or released.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`], [`InventoryError::Insufficient`], [`InventoryError::KeyReused`],
    /// [`InventoryError::InProgress`], [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn reserve(&self, terms: &Terms, name: &Name) -> Result<Made, InventoryError> {
        self.offer(terms, name).await.map(Undelivered::deliver)
    }

    /// The same for one who may have gone meanwhile: a reservation that only its answer names is released then.
    pub(super) async fn offer(&self, terms: &Terms, name: &Name) -> Result<Undelivered<Made>, InventoryError> {
        check::terms(terms)?;
        check::name(name)?;
        self.link().store().room()?;
        if terms.goods.len() > 1 {
            self.learn_groups(&terms.goods).await?;
        }
        let mut places = self.places(&terms.goods);
        for _ in 0..MOST_MOVES {
            match self.reserve_at(&places, terms, name).await {
                // Not there: perhaps its group is, of which nobody had told us, or those of others as well.
                Err(InventoryError::NoItem(sku)) => {
                    self.relearn_groups(&terms.goods).await?;
                    let before = std::mem::replace(&mut places, self.places(&terms.goods));
                    if places == before {
                        return Err(InventoryError::NoItem(sku));
                    }
                }
                outcome => return outcome,
            }
        }
        Err(InventoryError::Busy)
    }

    fn places(&self, goods: &[Goods]) -> Vec<u16> {
        goods.iter().map(|goods| self.place(&goods.sku)).collect()
    }

    /// Asks for the groups of all items.
    pub(super) async fn relearn_groups(&self, goods: &[Goods]) -> Result<(), InventoryError> {
        let asking = goods.iter().map(|goods| self.learn_group(&goods.sku));
        try_join_all(asking).await?;
        Ok(())
    }

    /// Asks for the groups of items that we know none of, so that those of one group are taken in one step.
    async fn learn_groups(&self, goods: &[Goods]) -> Result<(), InventoryError> {
        let unknown = goods.iter().filter(|goods| self.known_group(&goods.sku).is_none());
        let asking = unknown.map(async |goods| Ok((&goods.sku, commands::group(self.link(), &goods.sku).await?)));
        for (sku, group) in try_join_all(asking).await.map_err(InventoryError::Store)? {
            if let Some(group) = group {
                self.remember_group(sku, &group);
            }
        }
        Ok(())
    }

    async fn reserve_at(
        &self,
        places: &[u16],
        terms: &Terms,
        name: &Name,
    ) -> Result<Undelivered<Made>, InventoryError> {
        let Some(first) = places.first().copied() else {
            return Err(InventoryError::NotItsGoods);
        };
        let together = places.iter().all(|place| *place == first);
        let id = match name {
            Name::Id(id) => id.clone(),
            Name::ItemKey(key) => {
                let sku = terms.goods.first().map_or("", |goods| goods.sku.as_str());
                ours(first, 'i', &digest(&[sku, key]))?
            }
            Name::Key(key) => ours(Keys::inventory_partition(key), 'k', &digest(&[key]))?,
            Name::New => {
                // One with parts may be recorded anywhere: else all those of an item that many ask for would be in one partition.
                let home = if together {
                    first
                } else {
                    rand::random_range(0..INVENTORY_PARTITIONS)
                };
                ours(home, 'n', random_id().simple().encode_lower(&mut Uuid::encode_buffer()))?
            }
        };
        let mut give_back = match name {
            Name::New => self.release_unless_delivered(&id, terms.ttl),
            _ => GiveBack::nothing(),
        };
        let made = self.make(id, together, places, terms).await;
        if made.as_ref().is_err_and(|error| {
            !matches!(error, InventoryError::Store(_)) || matches!(error, InventoryError::Store(StoreError::Away))
        }) {
            // None was made.
            give_back.settle();
        }
        Ok(Undelivered::new(made?, give_back))
    }

    /// `together`: all items are in the first place.
    async fn make(&self, id: Id, together: bool, places: &[u16], terms: &Terms) -> Result<Made, InventoryError> {
        let Some(first) = places.first().copied() else {
            return Err(InventoryError::NotItsGoods);
        };
        if !together || home_of(&id) != first {
            let mut parts: BTreeMap<u16, Vec<Goods>> = BTreeMap::new();
            for (place, goods) in places.iter().zip(&terms.goods) {
                parts.entry(*place).or_default().push(goods.clone());
            }
            return self.reserve_parts(id, terms.clone(), parts).await;
        }
        let op = Op::reserve(id.as_str().to_owned(), None, None, terms.text());
        made(&id, self.call(first, op).await?)
    }

    /// Releases a reservation in the background whose name nobody has got; it is tried for a while at most, then it runs out.
    fn release_unless_delivered(&self, id: &Id, lasting: Duration) -> GiveBack {
        let (this, id, lasting) = (self.clone(), id.clone(), lasting.min(LONGEST_MAKING));
        GiveBack::new(move || {
            let link = this.link().clone();
            link.give_back("inventory.give_back", lasting, move |_link| {
                let (this, id) = (this.clone(), id.clone());
                async move {
                    match this.release(&id).await {
                        Err(InventoryError::Store(error)) => Err(error),
                        // Its making goes on without its caller, and may not have come to it.
                        Err(InventoryError::NoReservation(_) | InventoryError::InProgress | InventoryError::Busy) => {
                            Err(StoreError::Interrupted)
                        }
                        _ => Ok(()),
                    }
                }
            });
        })
    }

    /// Makes a hold final. One that has run out takes its stock again if that is there.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] after a release, [`InventoryError::Insufficient`]
    /// and [`InventoryError::NoItem`] after it has run out, in whole or in a part, and those of Redis.
    pub async fn confirm(&self, id: &Id) -> Result<Reservation, InventoryError> {
        match self.call_home(id, Op::confirm(id.as_str().to_owned())).await? {
            Outcome::Parts(record) => self.confirm_parts(id, record).await,
            Outcome::Done(record) if record.parts.is_some() => self.follow(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// Gives the stock of a hold back.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] if it is confirmed or has run out, and those of Redis.
    pub async fn release(&self, id: &Id) -> Result<Reservation, InventoryError> {
        match self.call_home(id, Op::release(id.as_str().to_owned())).await? {
            Outcome::Done(record) if record.parts.is_some() => self.follow(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// Moves the end of a hold to so long from now; it never comes nearer.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] if it is no longer held,
    /// [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn extend(&self, id: &Id, ttl: Duration) -> Result<Reservation, InventoryError> {
        check::ttl(ttl)?;
        let op = Op::extend(id.as_str().to_owned(), Ends::In(ttl.as_millis()), How::Plain);
        match self.call_home(id, op).await? {
            Outcome::Parts(record) => self.extend_parts(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// A reservation as it is now.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`] and those of Redis.
    pub async fn reservation(&self, id: &Id) -> Result<Reservation, InventoryError> {
        self.record(id).await.map(|record| record.reservation(id))
    }

    /// The record of a reservation that has been made.
    pub(super) async fn record(&self, id: &Id) -> Result<Record, InventoryError> {
        let record = commands::find(self.target(home_of(id)), id).await?;
        record
            .filter(|record| record.state.is_some())
            .ok_or_else(|| InventoryError::NoReservation(id.clone()))
    }
}

/// A name that we give: `of` keeps names of one origin apart from those of the others.
fn ours(partition: u16, of: char, rest: &str) -> Result<Id, InventoryError> {
    // Short enough, and of the alphabet.
    Id::parse(&format!("r{partition:x}.{of}{rest}")).map_err(|_no_id| InventoryError::KeyReused)
}

/// What stands for words in a name: 128 bits of their SHA-256, so that nobody finds others that come to the same.
fn digest(words: &[&str]) -> String {
    let mut sha256 = Sha256::new();
    for word in words {
        sha256.update(word.as_bytes());
        // In no SKU, and a key comes last.
        sha256.update(b"/");
    }
    let mut text = String::with_capacity(32);
    for byte in sha256.finalize().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A version 4 UUID from the thread's own generator, which is as unforeseeable as the system's and asks it now and then only:
/// a call of the kernel for each reservation stood out in a profile.
fn random_id() -> Uuid {
    Builder::from_random_bytes(rand::random()).into_uuid()
}

/// What a making came to.
pub(super) fn made(id: &Id, outcome: Outcome) -> Result<Made, InventoryError> {
    let before = matches!(outcome, Outcome::There(_));
    match outcome {
        Outcome::Done(record) | Outcome::There(record) => Ok(Made {
            reservation: record.into_made(id),
            before,
        }),
        outcome => done(id, outcome).map(|reservation| Made { reservation, before }),
    }
}

/// The reservation of an outcome, or why there is none.
pub(super) fn done(id: &Id, outcome: Outcome) -> Result<Reservation, InventoryError> {
    Err(match outcome {
        Outcome::Done(record) | Outcome::Again(record) | Outcome::There(record) => return Ok(record.reservation(id)),
        Outcome::Parts(record) | Outcome::Wrong(record) => match record.state {
            Some(state) => InventoryError::WrongState { state },
            None => InventoryError::InProgress,
        },
        Outcome::Differs => InventoryError::KeyReused,
        Outcome::Opening => InventoryError::InProgress,
        Outcome::Unknown => InventoryError::NoReservation(id.clone()),
        Outcome::Absent(sku) => InventoryError::NoItem(sku),
        Outcome::Short { sku, available } => InventoryError::Insufficient { sku, available },
    })
}

/// A name that tells the parts of one making from those of another.
pub(super) fn nonce() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// The record that stands for all parts.
pub(super) fn parts_of(parts: &BTreeMap<u16, Vec<Goods>>) -> Parts {
    Parts {
        nonce: nonce(),
        partitions: parts.keys().copied().collect(),
    }
}
