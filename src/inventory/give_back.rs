//! Reservations of which a part is given back, and confirmations that are taken back.

use super::Inventory;
use super::check;
use super::commands::{self, Given, What};
use super::error::InventoryError;
use super::model::{Portion, Record, Reservation, State};
use crate::ids::Id;
use crate::once::Once;

impl Inventory {
    /// Gives a part of a hold back, once for each idempotency key; the hold goes on with the rest, or is released if nothing is left.
    /// Returns the reservation, and whether a call with the key was carried out before, and left it so.
    ///
    /// # Errors
    /// [`InventoryError::NoReservation`], [`InventoryError::WrongState`], [`InventoryError::NotThatMuch`],
    /// [`InventoryError::SeveralItems`], [`InventoryError::SeveralGroups`], [`InventoryError::KeyReused`],
    /// [`InventoryError::Unacceptable`] and those of Redis.
    pub async fn release_part(
        &self,
        id: &Id,
        portion: &Portion,
        once: Option<&Once>,
    ) -> Result<(Reservation, bool), InventoryError> {
        check::portion(portion)?;
        let given = commands::give_back(self.target_of(id), id, What::Held(portion), once).await?;
        given_back(id, given).map(|(record, before)| (record.reservation(id), before))
    }

    /// Takes a confirmation back, all of it or a portion, once for each idempotency key: the stock can be reserved again. What has left
    /// by [`Self::consume`] stays gone. Returns as [`Self::release_part`] does.
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
        let given = commands::give_back(self.target_of(id), id, What::Confirmed(portion), once).await?;
        let (record, before) = given_back(id, given)?;
        if !before && record.parts.is_some() && record.state == Some(State::Returned) {
            return Ok((self.follow(id, record).await?, false));
        }
        Ok((record.reservation(id), before))
    }

    /// Takes back what a part has, whatever its state. Returns whether there was one.
    pub(super) async fn take_part_back(&self, partition: u16, part: &str) -> Result<bool, InventoryError> {
        let given = commands::give_back(self.target(partition), part, What::Part, None).await?;
        Ok(matches!(given, Given::Done(_)))
    }
}

fn given_back(id: &Id, given: Given) -> Result<(Record, bool), InventoryError> {
    Err(match given {
        Given::Done(record) => return Ok((record, false)),
        Given::Before(record) => return Ok((record, true)),
        Given::Wrong(Record { state: Some(state), .. }) => InventoryError::WrongState { state },
        Given::Wrong(_) | Given::Unknown => InventoryError::NoReservation(id.clone()),
        Given::Reused => InventoryError::KeyReused,
        Given::Several => InventoryError::SeveralItems,
        Given::Parted => InventoryError::SeveralGroups,
        Given::Beyond { sku, quantity } => InventoryError::NotThatMuch { sku, quantity },
        Given::Left => InventoryError::HasLeft,
    })
}
