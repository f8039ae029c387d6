//! Reservations: reserve, confirm, release and extend.

use super::Inventory;
use super::check;
use super::commands::{self, ExtendMode, NewEnd, Op, OpOutcome};
use super::error::InventoryError;
use super::keys::INVENTORY_PARTITIONS;
use super::model::{Goods, Name, Reservation, Terms, home_of};
use super::record::{Parts, Record};
use super::stock::MOST_MOVES;
use crate::ids::Id;
use crate::runtime::{GiveBack, Undelivered};
use crate::store::{Keys, StoreError};
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use uuid::{Builder, Uuid};

/// The longest time that the creation of a reservation takes. After it, nothing has to be released any more.
const LONGEST_MAKING: Duration = Duration::from_secs(30);

/// The result of [`Inventory::reserve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The reservation as it was when it was created. [`Inventory::reservation`] returns its current state.
    pub reservation: Reservation,
    /// Whether an earlier call with the same id or key created it.
    pub before: bool,
}

impl Inventory {
    /// Reserves goods, all or none, until the hold expires, is confirmed or released.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`], [`InventoryError::Insufficient`], [`InventoryError::KeyReused`],
    /// [`InventoryError::InProgress`], [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn reserve(&self, terms: &Terms, name: &Name) -> Result<Made, InventoryError> {
        self.offer(terms, name).await.map(Undelivered::deliver)
    }

    /// Reserves goods for a client that may disconnect. A reservation with a random id is released if its answer cannot be delivered.
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
                // The cached groups may be outdated.
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

    /// Reads the groups of all items.
    pub(super) async fn relearn_groups(&self, goods: &[Goods]) -> Result<(), InventoryError> {
        let asking = goods.iter().map(|goods| self.learn_group(&goods.sku));
        try_join_all(asking).await?;
        Ok(())
    }

    /// Reads the groups of items that are not cached, so that items of one group are taken in one step.
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
                // The record of a reservation with parts can be in any partition. A random one avoids a hot partition.
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
            !matches!(error, InventoryError::Store(_))
                || matches!(error, InventoryError::Store(StoreError::Unavailable))
        }) {
            // Nothing was created.
            give_back.settle();
        }
        Ok(Undelivered::new(made?, give_back))
    }

    /// Creates a reservation. `together`: all items are in the first partition of `places`.
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

    /// Releases a reservation in the background whose answer was not delivered. Attempts end after a while; then the hold expires.
    fn release_unless_delivered(&self, id: &Id, lasting: Duration) -> GiveBack {
        let (this, id, lasting) = (self.clone(), id.clone(), lasting.min(LONGEST_MAKING));
        GiveBack::new(move || {
            let link = this.link().clone();
            link.give_back("inventory.give_back", lasting, move |_link| {
                let (this, id) = (this.clone(), id.clone());
                async move {
                    match this.release(&id).await {
                        Err(InventoryError::Store(error)) => Err(error),
                        // The creation continues without its caller, and may not be complete yet.
                        Err(InventoryError::NoReservation(_) | InventoryError::InProgress | InventoryError::Busy) => {
                            Err(StoreError::Interrupted)
                        }
                        _ => Ok(()),
                    }
                }
            });
        })
    }

    /// Confirms a hold. An expired hold takes its stock again if that is available.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] after a release, [`InventoryError::Insufficient`]
    /// and [`InventoryError::NoItem`] if it or a part of it has expired, and those of Redis.
    pub async fn confirm(&self, id: &Id) -> Result<Reservation, InventoryError> {
        match self.call_home(id, Op::confirm(id.as_str().to_owned())).await? {
            OpOutcome::Parts(record) => self.confirm_parts(id, record).await,
            OpOutcome::Done(record) if record.parts.is_some() => self.follow(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// Releases a hold.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] if it is confirmed or has expired, and those of Redis.
    pub async fn release(&self, id: &Id) -> Result<Reservation, InventoryError> {
        match self.call_home(id, Op::release(id.as_str().to_owned())).await? {
            OpOutcome::Done(record) if record.parts.is_some() => self.follow(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// Extends a hold to `ttl` from now. It never becomes shorter.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`] if it is no longer held,
    /// [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn extend(&self, id: &Id, ttl: Duration) -> Result<Reservation, InventoryError> {
        check::ttl(ttl)?;
        let op = Op::extend(id.as_str().to_owned(), NewEnd::In(ttl.as_millis()), ExtendMode::Plain);
        match self.call_home(id, op).await? {
            OpOutcome::Parts(record) => self.extend_parts(id, record).await,
            outcome => done(id, outcome),
        }
    }

    /// Returns a reservation.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`] and those of Redis.
    pub async fn reservation(&self, id: &Id) -> Result<Reservation, InventoryError> {
        self.record(id).await.map(|record| record.reservation(id))
    }

    /// Returns the record of a reservation that is not being created.
    pub(super) async fn record(&self, id: &Id) -> Result<Record, InventoryError> {
        let record = commands::find(self.target(home_of(id)), id).await?;
        record
            .filter(|record| record.state.is_some())
            .ok_or_else(|| InventoryError::NoReservation(id.clone()))
    }
}

/// Returns a generated id. `of` separates ids of different origins.
fn ours(partition: u16, of: char, rest: &str) -> Result<Id, InventoryError> {
    // It is short enough and has only valid characters.
    Id::parse(&format!("r{partition:x}.{of}{rest}")).map_err(|_no_id| InventoryError::KeyReused)
}

/// Returns 128 bits of the SHA-256 of words, so that collisions cannot be constructed.
fn digest(words: &[&str]) -> String {
    let mut sha256 = Sha256::new();
    for word in words {
        sha256.update(word.as_bytes());
        // No SKU has a slash, and a key comes last.
        sha256.update(b"/");
    }
    let mut text = String::with_capacity(32);
    for byte in sha256.finalize().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns a version 4 UUID from the generator of the thread, which is cryptographically secure and reseeds itself from the system: a
/// system call for each reservation was visible in a profile.
fn random_id() -> Uuid {
    Builder::from_random_bytes(rand::random()).into_uuid()
}

/// Returns the result of a creation.
pub(super) fn made(id: &Id, outcome: OpOutcome) -> Result<Made, InventoryError> {
    let before = matches!(outcome, OpOutcome::There(_));
    match outcome {
        OpOutcome::Done(record) | OpOutcome::There(record) => Ok(Made {
            reservation: record.into_made(id),
            before,
        }),
        outcome => done(id, outcome).map(|reservation| Made { reservation, before }),
    }
}

/// Returns the reservation of an outcome, or the error.
pub(super) fn done(id: &Id, outcome: OpOutcome) -> Result<Reservation, InventoryError> {
    Err(match outcome {
        OpOutcome::Done(record) | OpOutcome::Again(record) | OpOutcome::There(record) => {
            return Ok(record.reservation(id));
        }
        OpOutcome::Parts(record) | OpOutcome::Wrong(record) => match record.state {
            Some(state) => InventoryError::WrongState { state },
            None => InventoryError::InProgress,
        },
        OpOutcome::Differs => InventoryError::KeyReused,
        OpOutcome::Opening => InventoryError::InProgress,
        OpOutcome::Unknown => InventoryError::NoReservation(id.clone()),
        OpOutcome::Absent(sku) => InventoryError::NoItem(sku),
        OpOutcome::Short { sku, available } => InventoryError::Insufficient { sku, available },
    })
}

/// Returns a nonce that distinguishes the parts of one reservation from those of an earlier one with the same id.
pub(super) fn nonce() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// Returns the parts for goods by partition.
pub(super) fn parts_of(parts: &BTreeMap<u16, Vec<Goods>>) -> Parts {
    Parts {
        nonce: nonce(),
        partitions: parts.keys().copied().collect(),
    }
}
