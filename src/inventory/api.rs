use super::batch::Batcher;
use super::commands::{self, Op, OpOutcome, Target};
use super::error::InventoryError;
use super::item_count::ItemCount;
use super::model::home_of;
use super::settings::InventorySettings;
use crate::ids::Id;
use crate::store::{Keys, Link};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Cached groups of items. When the cache is full, it is cleared.
const MOST_GROUPS: usize = 10_000;
/// Items that are reconciled with their groups at the same time. Beyond it, a repeated call reconciles an item.
const MOST_RECONCILED: usize = 1_000;

/// The inventory over one connection. Clones are handles to the same inventory.
#[derive(Debug, Clone)]
pub struct Inventory(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    link: Link,
    keep_ms: u64,
    batcher: Batcher,
    /// The groups of items, as far as they are cached. An outdated entry costs a round trip: the script in the wrong partition does not
    /// find the item.
    groups: Mutex<HashMap<Id, Id>>,
    /// Bounds the items that are reconciled at the same time.
    pub reconciling: Arc<Semaphore>,
    pub items: ItemCount,
    pub most_items: u64,
}

impl Inventory {
    /// Starts the task that sends reservations in batches, on the current runtime. It ends with the last handle.
    #[must_use]
    pub fn start(link: &Link, settings: &InventorySettings) -> Self {
        Self::start_with(link, settings, ItemCount::default())
    }

    /// Starts one of several inventories in a process, which share the count of the items.
    #[must_use]
    pub fn start_with(link: &Link, settings: &InventorySettings, items: ItemCount) -> Self {
        let keep_ms = u64::from(settings.keep_s) * 1000;
        let most = usize::try_from(settings.queue).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            link: link.clone(),
            keep_ms,
            batcher: Batcher::start(link, keep_ms, most),
            groups: Mutex::default(),
            reconciling: Arc::new(Semaphore::new(MOST_RECONCILED)),
            items,
            most_items: settings.items,
        }))
    }

    /// Returns the connection.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn keep_ms(&self) -> u64 {
        self.0.keep_ms
    }

    pub(super) fn target(&self, partition: u16) -> Target<'_> {
        Target {
            link: &self.0.link,
            partition,
            keep_ms: self.0.keep_ms,
        }
    }

    /// Returns the partition of the record of a reservation.
    pub(super) fn target_of(&self, id: &Id) -> Target<'_> {
        self.target(home_of(id))
    }

    pub(super) async fn call(&self, partition: u16, op: Op) -> Result<OpOutcome, InventoryError> {
        self.0.batcher.call(partition, op).await
    }

    pub(super) async fn call_home(&self, id: &Id, op: Op) -> Result<OpOutcome, InventoryError> {
        self.call(home_of(id), op).await
    }

    /// Returns the partition of an item according to the cache.
    pub(super) fn place(&self, sku: &Id) -> u16 {
        let groups = self.0.groups.lock();
        Keys::inventory_partition(groups.get(sku).unwrap_or(sku))
    }

    /// Returns the cached group of an item.
    pub(super) fn known_group(&self, sku: &Id) -> Option<Id> {
        self.0.groups.lock().get(sku).cloned()
    }

    /// Returns the partition of an item that was not found in `tried`.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`] if the item does not exist.
    pub(super) async fn moved(&self, sku: &Id, tried: u16) -> Result<u16, InventoryError> {
        self.learn_group(sku).await?;
        let place = self.place(sku);
        if place == tried {
            Err(InventoryError::NoItem(sku.clone()))
        } else {
            Ok(place)
        }
    }

    /// Reads the group of an item into the cache.
    pub(super) async fn learn_group(&self, sku: &Id) -> Result<(), InventoryError> {
        match commands::group(&self.0.link, sku).await? {
            Some(group) => self.remember_group(sku, &group),
            None => drop(self.0.groups.lock().remove(sku)),
        }
        Ok(())
    }

    pub(super) fn remember_group(&self, sku: &Id, group: &Id) {
        let mut groups = self.0.groups.lock();
        if groups.len() >= MOST_GROUPS {
            groups.clear();
        }
        groups.insert(sku.clone(), group.clone());
    }
}
