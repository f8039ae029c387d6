//! Goods of confirmed reservations that leave for good.
//!
//! Where the goods are in the partition of their reservation one script does it. Else the record of the reservation decides that they
//! leave, and then their part lets them: so of a return and a consumption at the same time the one wins whose decision the record has
//! first. If the goods cannot leave, because fewer are on hand than were sold, the decision is taken back, unless a call has repeated
//! it meanwhile: then it stands, and the goods leave as soon as they can.

use super::Inventory;
use super::check;
use super::commands::{self, ItemOutcome, Op};
use super::error::InventoryError;
use super::model::{Goods, Item, Parts, Record};
use super::stock::{done, whole};
use crate::ids::Id;
use futures_util::future::try_join_all;

impl Inventory {
    /// Lets what a confirmed reservation has of an item leave for good, so much of it: it is no longer on hand, and no longer
    /// confirmed. Once, however often it is called.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`], [`InventoryError::NotItsGoods`],
    /// [`InventoryError::Insufficient`] if fewer are on hand, and those of Redis.
    pub async fn consume(&self, id: &Id, goods: &Goods) -> Result<Item, InventoryError> {
        check::goods(goods)?;
        match commands::consume(self.target_of(id), id, goods).await? {
            ItemOutcome::Parts(record) => {
                let (this, id, goods) = (self.clone(), id.clone(), goods.clone());
                // What was decided is carried out or taken back, although its caller has gone.
                whole(async move { this.consume_decided(&id, &record, &goods).await }).await
            }
            outcome => consumed(id, &goods.sku, outcome),
        }
    }

    async fn consume_decided(&self, id: &Id, record: &Record, goods: &Goods) -> Result<Item, InventoryError> {
        let left = self.consume_part(id, record, goods).await;
        if left
            .as_ref()
            .is_err_and(|error| !matches!(error, InventoryError::Store(_)))
        {
            commands::undo_consume(self.target_of(id), id, goods).await?;
        }
        left
    }

    /// `record`: as it was when it was decided that the goods leave.
    async fn consume_part(&self, id: &Id, record: &Record, goods: &Goods) -> Result<Item, InventoryError> {
        let Some(parts) = &record.parts else {
            return Err(InventoryError::NotItsGoods);
        };
        // What was given back in part does not leave.
        self.reduce_parts(id, record, parts).await?;
        let part = parts.id_of(id);
        for partition in parts.partitions.iter().copied() {
            let consume = async || commands::consume(self.target(partition), &part, goods).await;
            let mut outcome = consume().await?;
            if matches!(outcome, ItemOutcome::Wrong(_)) {
                // It is confirmed, and its parts have not heard of it.
                for confirmed in self.each(parts, |_| Op::confirm(part.clone())).await {
                    confirmed?;
                }
                outcome = consume().await?;
            }
            match outcome {
                ItemOutcome::NotItsGoods | ItemOutcome::Unknown => {}
                outcome => return consumed(id, &goods.sku, outcome),
            }
        }
        Err(InventoryError::NotItsGoods)
    }

    /// Lets goods leave whose leaving was decided and not carried out. Returns how the record stands then ([`Record::seen`]), and
    /// why goods cannot leave yet.
    pub(super) async fn consume_rest(
        &self,
        id: &Id,
        record: &Record,
        parts: &Parts,
    ) -> Result<(String, Option<InventoryError>), InventoryError> {
        let (mut seen, mut missing) = (record.seen(), None);
        let leaving = record.leaving();
        if leaving.is_empty() {
            return Ok((seen, missing));
        }
        let found = self.part_records(id, parts).await?;
        for goods in leaving {
            if found.iter().any(|part| part.has_left(&goods.sku)) {
                continue;
            }
            // Decided again, so that the first call does not take its decision back meanwhile.
            let outcome = commands::consume(self.target_of(id), id, &goods).await?;
            if let ItemOutcome::Parts(record) = outcome {
                seen = record.seen();
                match self.consume_part(id, &record, &goods).await {
                    // Its item was deleted, or it was returned in between.
                    Ok(_) | Err(InventoryError::NotItsGoods | InventoryError::WrongState { .. }) => {}
                    Err(InventoryError::Store(error)) => return Err(error.into()),
                    Err(error) => missing = missing.or(Some(error)),
                }
            }
        }
        Ok((seen, missing))
    }

    /// The parts of a reservation, as far as they are there.
    pub(super) async fn part_records(&self, id: &Id, parts: &Parts) -> Result<Vec<Record>, InventoryError> {
        let name = parts.id_of(id);
        let finding = parts.partitions.iter().map(|p| commands::find(self.target(*p), &name));
        Ok(try_join_all(finding).await?.into_iter().flatten().collect())
    }
}

fn consumed(id: &Id, sku: &Id, outcome: ItemOutcome) -> Result<Item, InventoryError> {
    match outcome {
        ItemOutcome::Unknown => Err(InventoryError::NoReservation(id.clone())),
        ItemOutcome::Wrong(record) => Err(InventoryError::WrongState {
            state: record.reservation(id).state,
        }),
        ItemOutcome::Short(available) => Err(InventoryError::Insufficient {
            sku: sku.clone(),
            available,
        }),
        outcome => done(outcome),
    }
}
