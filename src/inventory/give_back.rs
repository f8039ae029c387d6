//! Releases of a portion of a hold, and returns of confirmed reservations.

use super::Inventory;
use super::check;
use super::commands::{self, GiveBackOutcome, GiveBackScope};
use super::error::InventoryError;
use super::model::{Goods, Portion, Reservation, State};
use super::record::{Parts, Record};
use crate::ids::Id;
use crate::once::Once;
use futures_util::future::try_join_all;

impl Inventory {
    /// Releases a portion of a hold, once per idempotency key. The rest stays held; the hold is released if nothing is left. Returns the
    /// reservation, and whether the answer is that of an earlier call with the key.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`], [`InventoryError::NotThatMuch`],
    /// [`InventoryError::SeveralItems`], [`InventoryError::KeyReused`], [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn release_part(
        &self,
        id: &Id,
        portion: &Portion,
        once: Option<&Once>,
    ) -> Result<(Reservation, bool), InventoryError> {
        check::portion(portion)?;
        let given = commands::give_back(self.target_of(id), id, GiveBackScope::Held(portion), once).await?;
        self.carried_on(id, given).await
    }

    /// Returns a confirmed reservation or a portion of it to the stock, once per idempotency key. Goods that [`Self::consume`] removed stay
    /// removed. The result is as that of [`Self::release_part`].
    ///
    /// # Errors
    /// As [`Self::release_part`], and [`InventoryError::HasLeft`].
    pub async fn take_back(
        &self,
        id: &Id,
        portion: Option<&Portion>,
        once: Option<&Once>,
    ) -> Result<(Reservation, bool), InventoryError> {
        if let Some(portion) = portion {
            check::portion(portion)?;
        }
        if !commands::is_known(self.target_of(id), once).await? {
            self.check_has_not_left(id, portion).await?;
        }
        let given = commands::give_back(self.target_of(id), id, GiveBackScope::Confirmed(portion), once).await?;
        self.carried_on(id, given).await
    }

    /// Returns the reservation of an outcome, after its parts have followed.
    async fn carried_on(&self, id: &Id, given: GiveBackOutcome) -> Result<(Reservation, bool), InventoryError> {
        let (record, before) = given_back(id, given)?;
        if record.parts.is_some() && !before {
            return Ok((self.follow(id, record).await?, false));
        }
        Ok((record.reservation(id), before))
    }

    /// Refuses a return of consumed goods. The record of a reservation with parts notes that goods are consumed, except in earlier
    /// versions, which noted it only in the parts.
    async fn check_has_not_left(&self, id: &Id, portion: Option<&Portion>) -> Result<(), InventoryError> {
        let record = self.record(id).await?;
        let (Some(State::Confirmed), Some(parts)) = (record.state, &record.parts) else {
            return Ok(());
        };
        let parts = self.part_records(id, parts).await?;
        let left = record.goods();
        let is_consumed = |goods: &Goods| parts.iter().any(|part| part.was_consumed(&goods.sku));
        let is_refused = match portion {
            None => left.iter().all(is_consumed),
            Some(Portion::Quantity(_)) => left.iter().any(is_consumed),
            Some(Portion::Goods(goods)) => goods.iter().any(is_consumed),
        };
        if is_refused {
            Err(InventoryError::HasLeft)
        } else {
            Ok(())
        }
    }

    /// Reduces the parts of a reservation to what is left of it. The call can be repeated.
    pub(super) async fn reduce_parts(&self, id: &Id, record: &Record, parts: &Parts) -> Result<(), InventoryError> {
        let left = record.left_in_part();
        if left.is_empty() {
            return Ok(());
        }
        let (part, left) = (parts.id_of(id), Portion::Goods(left));
        let reducing = parts
            .partitions
            .iter()
            .map(|p| commands::give_back(self.target(*p), &part, GiveBackScope::AllBut(&left), None));
        try_join_all(reducing).await?;
        Ok(())
    }

    /// Gives back all goods of a part, whatever its state. Returns whether the part exists.
    pub(super) async fn take_part_back(&self, partition: u16, part: &str) -> Result<bool, InventoryError> {
        let given = commands::give_back(self.target(partition), part, GiveBackScope::Part, None).await?;
        Ok(matches!(given, GiveBackOutcome::Done(_)))
    }
}

fn given_back(id: &Id, given: GiveBackOutcome) -> Result<(Record, bool), InventoryError> {
    Err(match given {
        GiveBackOutcome::Done(record) => return Ok((record, false)),
        GiveBackOutcome::Before(record) => return Ok((record, true)),
        GiveBackOutcome::Wrong(Record { state: Some(state), .. }) => InventoryError::WrongState { state },
        GiveBackOutcome::Wrong(_) | GiveBackOutcome::Unknown => InventoryError::NoReservation(id.clone()),
        GiveBackOutcome::Reused => InventoryError::KeyReused,
        GiveBackOutcome::Several => InventoryError::SeveralItems,
        GiveBackOutcome::Beyond { sku, quantity } => InventoryError::NotThatMuch { sku, quantity },
        GiveBackOutcome::Left => InventoryError::HasLeft,
    })
}
