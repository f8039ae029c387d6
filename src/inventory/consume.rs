//! Consumption: the goods of confirmed reservations are removed from the stock.
//!
//! If the goods are in the partition of their reservation, one script removes them. Otherwise the record of the reservation decides first,
//! and then the part is consumed: of a concurrent return and consumption, the first decision in the record wins. If the goods cannot be
//! removed, because fewer are on hand, the decision is taken back, unless another call has repeated it: then it is kept, and the goods are
//! removed as soon as possible.

use super::Inventory;
use super::check;
use super::commands::{self, ItemOutcome, Op};
use super::error::InventoryError;
use super::model::{Goods, Item};
use super::record::{Parts, Record};
use super::steps::{STOCK, all_steps};
use super::stock::done;
use crate::ids::Id;
use futures_util::future::try_join_all;

impl Inventory {
    /// Removes the goods of one item of a confirmed reservation from the stock: they are no longer on hand, and no longer confirmed. The
    /// quantity must be all that the reservation has of the item. Repeating the call changes nothing.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`], [`InventoryError::NotItsGoods`],
    /// [`InventoryError::Insufficient`] if fewer are on hand, and those of Redis.
    pub async fn consume(&self, id: &Id, goods: &Goods) -> Result<Item, InventoryError> {
        check::goods(goods)?;
        match commands::consume(self.target_of(id), id, goods).await? {
            ItemOutcome::Parts(record) => {
                let (this, id, goods) = (self.clone(), id.clone(), goods.clone());
                // The decision is carried out or taken back even if the caller disconnects.
                all_steps(STOCK, async move { this.consume_decided(&id, &record, &goods).await }).await
            }
            outcome => consumed(id, &goods.sku, outcome),
        }
    }

    async fn consume_decided(&self, id: &Id, record: &Record, goods: &Goods) -> Result<Item, InventoryError> {
        let outcome = self.consume_part(id, record, goods).await;
        if outcome
            .as_ref()
            .is_err_and(|error| !matches!(error, InventoryError::Store(_)))
        {
            commands::undo_consume(self.target_of(id), id, goods).await?;
        }
        outcome
    }

    /// Consumes goods of a part. `record` is the record with the decision.
    async fn consume_part(&self, id: &Id, record: &Record, goods: &Goods) -> Result<Item, InventoryError> {
        let Some(parts) = &record.parts else {
            return Err(InventoryError::NotItsGoods);
        };
        // Goods that were given back are not consumed.
        self.reduce_parts(id, record, parts).await?;
        let part = parts.id_of(id);
        for partition in parts.partitions.iter().copied() {
            let consume = async || commands::consume(self.target(partition), &part, goods).await;
            let mut outcome = consume().await?;
            if matches!(outcome, ItemOutcome::Wrong(_)) {
                // The record is confirmed, but its parts have not followed.
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

    /// Consumes the goods whose consumption was decided but not carried out. Returns the new [`Record::seen`], and the reason why goods
    /// cannot be consumed yet.
    pub(super) async fn consume_rest(
        &self,
        id: &Id,
        record: &Record,
        parts: &Parts,
    ) -> Result<(String, Option<InventoryError>), InventoryError> {
        let (mut seen, mut missing) = (record.seen(), None);
        let decided = record.decided();
        if decided.is_empty() {
            return Ok((seen, missing));
        }
        let found = self.part_records(id, parts).await?;
        for goods in decided {
            if found.iter().any(|part| part.was_consumed(&goods.sku)) {
                continue;
            }
            // Decided again, so that the first call does not take its decision back before this one is carried out.
            let outcome = commands::consume(self.target_of(id), id, &goods).await?;
            if let ItemOutcome::Parts(record) = outcome {
                seen = record.seen();
                match self.consume_part(id, &record, &goods).await {
                    // The item was deleted, or the goods were returned.
                    Ok(_) | Err(InventoryError::NotItsGoods | InventoryError::WrongState { .. }) => {}
                    Err(InventoryError::Store(error)) => return Err(error.into()),
                    Err(error) => missing = missing.or(Some(error)),
                }
            }
        }
        Ok((seen, missing))
    }

    /// Returns the parts of a reservation that exist.
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
