//! Items and their quantities.

use super::Inventory;
use super::check;
use super::commands::{self, Expected, ItemOutcome};
use super::error::InventoryError;
use super::keys::INVENTORY_PARTITIONS;
use super::model::{Item, OnHand};
use super::steps::{STOCK, all_steps};
use crate::ids::Id;
use crate::once::Once;
use crate::runtime::Claim;
use crate::store::Keys;

/// The most times that a call follows an item to another partition. Usually it is once; more only if the item is deleted and created
/// in another group at the same time.
pub(super) const MOST_MOVES: usize = 4;

/// The result of [`Inventory::put`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The item after the change.
    pub item: Item,
    /// Whether the item was created.
    pub created: bool,
}

/// The position in a listing of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    partition: u16,
    behind: Id,
}

impl Cursor {
    /// Parses the output of [`Self::text`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (partition, behind) = text.split_once('.')?;
        let partition = partition.parse().ok().filter(|p| *p < INVENTORY_PARTITIONS)?;
        let behind = Id::parse(behind).ok()?;
        let cursor = Self { partition, behind };
        // A number has other spellings, such as `+1` and `01`.
        (cursor.text() == text).then_some(cursor)
    }

    /// Returns the cursor as text for a URL.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.partition, self.behind)
    }
}

impl Inventory {
    /// Sets the quantity of an item, and creates the item if there is none. An item of a group is created in `group`; the group must be
    /// the same in every later call. What is held and confirmed does not change.
    ///
    /// # Errors
    /// [`InventoryError::Unacceptable`], [`InventoryError::Version`], [`InventoryError::BelowReserved`],
    /// [`InventoryError::OtherGroup`], [`InventoryError::TooManyItems`] and those of Redis.
    pub async fn put(
        &self,
        sku: &Id,
        quantity: impl Into<OnHand>,
        group: Option<&Id>,
        expected: Expected,
    ) -> Result<Put, InventoryError> {
        let quantity: OnHand = quantity.into();
        check::on_hand(quantity.quantity)?;
        check::expected(&expected)?;
        let claim = self.claim_item(sku, group).await?;
        let (this, sku, group) = (self.clone(), sku.clone(), group.cloned());
        // The group of a new item has to be recorded permanently even if the caller disconnects.
        let put = all_steps(STOCK, async move {
            this.put_whole(&sku, quantity, group.as_ref(), &expected).await
        })
        .await?;
        if put.created {
            claim.keep();
        }
        Ok(put)
    }

    /// Claims room for one more item. If there is none, checks that the item exists already, because its quantity may still change.
    ///
    /// # Errors
    /// [`InventoryError::TooManyItems`] and those of Redis.
    async fn claim_item(&self, sku: &Id, group: Option<&Id>) -> Result<Claim<'_>, InventoryError> {
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

    /// Adds to the quantity of an item, or subtracts from it, never below what is held and confirmed.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`], [`InventoryError::Version`], [`InventoryError::BelowReserved`],
    /// [`InventoryError::Beyond`], [`InventoryError::Unacceptable`] and those of Redis. After
    /// [`StoreError::Lost`](crate::store::StoreError::Lost) the change may have been made; with an expected version it is not made twice.
    pub async fn adjust(&self, sku: &Id, delta: i64, expected: Expected) -> Result<Item, InventoryError> {
        self.adjust_once(sku, delta, expected, None).await.map(|(item, _)| item)
    }

    /// Adjusts as [`Self::adjust`] does, once per idempotency key. Returns the item, and whether the answer is that of an earlier call with
    /// the key.
    ///
    /// # Errors
    /// As [`Self::adjust`], and [`InventoryError::KeyReused`].
    pub async fn adjust_once(
        &self,
        sku: &Id,
        delta: i64,
        expected: Expected,
        once: Option<&Once>,
    ) -> Result<(Item, bool), InventoryError> {
        check::delta(delta)?;
        check::expected(&expected)?;
        if once.is_some() {
            self.link().store().room()?;
        }
        let mut partition = self.place(sku);
        for _ in 0..MOST_MOVES {
            match commands::adjust(self.target(partition), sku, delta, &expected, once).await? {
                ItemOutcome::Unknown => partition = self.moved(sku, partition).await?,
                ItemOutcome::Before(item) => return Ok((item, true)),
                outcome => return done(outcome).map(|item| (item, false)),
            }
        }
        Err(InventoryError::Busy)
    }

    /// Returns an item.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`] and those of Redis.
    pub async fn item(&self, sku: &Id) -> Result<Item, InventoryError> {
        let mut partition = self.place(sku);
        for _ in 0..MOST_MOVES {
            if let Some(item) = commands::look(self.target(partition), sku).await? {
                return Ok(item);
            }
            partition = self.moved(sku, partition).await?;
        }
        Err(InventoryError::Busy)
    }

    /// Deletes an item of which nothing is held. Confirmed goods of it no longer count. Its group stays recorded for as long as an ended
    /// reservation.
    ///
    /// # Errors
    /// [`InventoryError::NoItem`], [`InventoryError::Version`], [`InventoryError::Held`] and those of Redis.
    pub async fn remove(&self, sku: &Id, expected: Expected) -> Result<(), InventoryError> {
        check::expected(&expected)?;
        let (this, sku) = (self.clone(), sku.clone());
        // Its group entry has to expire even if the caller disconnects.
        all_steps(STOCK, async move { this.remove_whole(&sku, &expected).await }).await
    }

    async fn remove_whole(&self, sku: &Id, expected: &Expected) -> Result<(), InventoryError> {
        let own = self.target(Keys::inventory_partition(sku));
        let mut partition = self.place(sku);
        for _ in 0..MOST_MOVES {
            let target = self.target(partition);
            let removed = commands::remove(target, sku, expected).await.map_err(Into::into);
            if let Some(group) = self.known_group(sku) {
                self.reconcile_after(&removed, sku, &group);
            }
            match removed? {
                ItemOutcome::Unknown => match self.moved(sku, partition).await {
                    Ok(place) => partition = place,
                    Err(error) => {
                        // The call that deleted it may have been interrupted before this.
                        if let (InventoryError::NoItem(_), Some(group)) = (&error, self.known_group(sku)) {
                            self.expire_entry(own, target, sku, &group).await?;
                        }
                        return Err(error);
                    }
                },
                ItemOutcome::Below(held) => return Err(InventoryError::Held { held }),
                outcome => {
                    let item = done(outcome)?;
                    if let Some(group) = &item.group {
                        let entry = self.expire_entry(own, target, sku, group).await;
                        self.reconcile_after(&entry, sku, group);
                        entry?;
                    }
                    return Ok(());
                }
            }
        }
        Err(InventoryError::Busy)
    }

    /// Returns up to `count` (1 to 500) items after a cursor, and the next cursor if there may be more. Each item that exists during the
    /// whole listing is returned once.
    ///
    /// # Errors
    /// Those of Redis.
    pub async fn items(
        &self,
        cursor: Option<&Cursor>,
        count: usize,
    ) -> Result<(Vec<Item>, Option<Cursor>), InventoryError> {
        check::page(count)?;
        let mut items: Vec<Item> = Vec::new();
        let (first, mut behind) = cursor.map_or((0, ""), |cursor| (cursor.partition, cursor.behind.as_str()));
        for partition in first..INVENTORY_PARTITIONS {
            let target = self.target(partition);
            items.extend(commands::list(target, behind, count - items.len()).await?);
            behind = "";
            if items.len() >= count {
                let next = items.last().map(|item| Cursor {
                    partition,
                    behind: item.sku.clone(),
                });
                return Ok((items, next));
            }
        }
        Ok((items, None))
    }
}

/// Returns the result of a put, or the error.
pub(super) fn put(outcome: ItemOutcome) -> Result<Put, InventoryError> {
    let created = matches!(outcome, ItemOutcome::Created(_));
    done(outcome).map(|item| Put { item, created })
}

/// Returns the item of an outcome, or the error. A missing item has version 0.
pub(super) fn done(outcome: ItemOutcome) -> Result<Item, InventoryError> {
    match outcome {
        ItemOutcome::Created(item) | ItemOutcome::Done(item) | ItemOutcome::Before(item) => Ok(item),
        ItemOutcome::Reused => Err(InventoryError::KeyReused),
        ItemOutcome::Unknown => Err(InventoryError::Version { current: 0 }),
        ItemOutcome::Version(current) => Err(InventoryError::Version { current }),
        ItemOutcome::Below(reserved) => Err(InventoryError::BelowReserved { reserved }),
        ItemOutcome::Elsewhere(group) => Err(InventoryError::OtherGroup { group }),
        ItemOutcome::Beyond => Err(InventoryError::Beyond),
        ItemOutcome::Wrong(_) | ItemOutcome::Parts(_) | ItemOutcome::Short(_) | ItemOutcome::NotItsGoods => {
            Err(InventoryError::NotItsGoods)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor::parse("15.a.b").unwrap();
        assert_eq!((cursor.partition, cursor.behind.as_str()), (15, "a.b"));
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for bad in ["", "a", "16.a", "-1.a", "3.", "3.{a}", "3"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
