//! The number of items, and its maximum.

use super::keys::INVENTORY_PARTITIONS;
use super::{Inventory, InventoryError};
use crate::ids::Id;
use crate::runtime::{Claim, Tally};
use crate::store::Keys;
use std::sync::Arc;

/// The number of items in each partition, as the sweeps count them and this process creates them. All workers of a process share one.
#[derive(Debug, Clone, Default)]
pub struct ItemCount(Arc<[Tally; INVENTORY_PARTITIONS as usize]>);

impl ItemCount {
    pub(super) fn of(&self, partition: u16) -> &Tally {
        &self.0[usize::from(partition % INVENTORY_PARTITIONS)]
    }

    fn total(&self) -> u64 {
        self.0.iter().map(Tally::total).sum()
    }
}

impl Inventory {
    /// Claims room for one more item. If there is none, checks that the item exists already, because its quantity may still change.
    ///
    /// # Errors
    /// [`InventoryError::TooManyItems`] and those of Redis.
    pub(super) async fn claim_item(&self, sku: &Id, group: Option<&Id>) -> Result<Claim<'_>, InventoryError> {
        let items = &self.0.items;
        let claim = items.of(Keys::inventory_partition(group.unwrap_or(sku))).claim();
        let refusal = match self.link().store().room() {
            Err(full) => full.into(),
            Ok(()) if items.total() > self.0.most_items => InventoryError::TooManyItems,
            Ok(()) => return Ok(claim),
        };
        match self.item(sku).await {
            Ok(_) => Ok(claim),
            Err(InventoryError::NoItem(_)) => Err(refusal),
            Err(error) => Err(error),
        }
    }
}
