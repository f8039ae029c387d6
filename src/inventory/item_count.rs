//! The number of items.

use super::keys::INVENTORY_PARTITIONS;
use crate::runtime::Tally;
use std::sync::Arc;

/// The number of items in each partition, as the sweeps count them and this process creates them. All workers of a process share one.
#[derive(Debug, Clone, Default)]
pub struct ItemCount(Arc<[Tally; INVENTORY_PARTITIONS as usize]>);

impl ItemCount {
    pub(super) fn of(&self, partition: u16) -> &Tally {
        &self.0[usize::from(partition % INVENTORY_PARTITIONS)]
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(Tally::total).sum()
    }
}
