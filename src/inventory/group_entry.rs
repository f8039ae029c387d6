//! Entries that name the groups of items, kept consistent with the items.

use super::Inventory;
use super::commands::{self, EntryLifetime, Expected, GroupClaim, ItemOutcome, Target};
use super::error::InventoryError;
use super::model::OnHand;
use super::stock::{MOST_MOVES, Put, put};
use crate::ids::Id;
use crate::runtime::caught;
use crate::store::Keys;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// The shortest lifetime of the group entry of an item before the item is created, ms: the creation takes two round trips.
const CLAIM_MS: u64 = 60_000;
/// The first pause between two attempts to reconcile an item with its group; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Inventory {
    /// Sets the quantity of an item, and records its group.
    pub(super) async fn put_whole(
        &self,
        sku: &Id,
        quantity: OnHand,
        group: Option<&Id>,
        expected: &Expected,
    ) -> Result<Put, InventoryError> {
        let own = self.target(Keys::inventory_partition(sku));
        let mut known = group.cloned();
        for _ in 0..MOST_MOVES {
            let Some(of) = &known else {
                match commands::put(own, sku, quantity, expected, None).await? {
                    ItemOutcome::Elsewhere(other) => known = other,
                    outcome => return put(outcome),
                }
                continue;
            };
            // For a while only, so that an interrupted call records nothing permanently.
            let begin = EntryLifetime::Begin(self.keep_ms().max(CLAIM_MS));
            match commands::claim(own, sku, of, begin).await? {
                GroupClaim::Elsewhere(other) if group.is_some() => {
                    return Err(InventoryError::OtherGroup { group: other });
                }
                GroupClaim::Elsewhere(other) => known = other,
                claim => {
                    let put = self.put_in_group(own, sku, quantity, of, expected, claim).await;
                    self.reconcile_after(&put, sku, of);
                    return put;
                }
            }
        }
        Err(InventoryError::Busy)
    }

    /// Sets the quantity of an item in its group. `begun` is the temporary claim. If the instance fails between the creation and the
    /// permanent claim, the item is not found after the temporary claim expires, unless it is put again.
    async fn put_in_group(
        &self,
        own: Target<'_>,
        sku: &Id,
        quantity: OnHand,
        group: &Id,
        expected: &Expected,
        begun: GroupClaim,
    ) -> Result<Put, InventoryError> {
        let target = self.target(Keys::inventory_partition(group));
        let outcome = commands::put(target, sku, quantity, expected, Some(group)).await?;
        let claim = match &outcome {
            ItemOutcome::Version(0) => {
                // The item was not created, so it has no group, unless another call creates it now.
                if let GroupClaim::Made(ends_ms) = begun {
                    commands::unclaim(own, sku, ends_ms).await?;
                    return put(outcome);
                }
                self.expire_entry(own, target, sku, group).await?
            }
            // The item exists, so the claim becomes permanent, even if a concurrent deletion has set an end.
            _ => commands::claim(own, sku, group, EntryLifetime::Keep).await?,
        };
        if let GroupClaim::Elsewhere(group) = claim {
            // The entry expired, and the item was created in another group. It must not exist in both.
            if let ItemOutcome::Created(item) = &outcome {
                commands::remove(target, sku, &Expected::Version(item.version)).await?;
            }
            return Err(InventoryError::OtherGroup { group });
        }
        self.remember_group(sku, group);
        put(outcome)
    }

    /// Lets the group entry of a deleted item expire, unless the item was created again.
    pub(super) async fn expire_entry(
        &self,
        own: Target<'_>,
        target: Target<'_>,
        sku: &Id,
        group: &Id,
    ) -> Result<GroupClaim, InventoryError> {
        let mut claim = commands::claim(own, sku, group, EntryLifetime::End(self.keep_ms())).await?;
        if claim == GroupClaim::Done && commands::look(target, sku).await?.is_some() {
            claim = commands::claim(own, sku, group, EntryLifetime::Keep).await?;
        }
        Ok(claim)
    }

    /// Reconciles the group entry of an item with the item in the background, if a call that changes both was interrupted by Redis. It is
    /// bounded in time and number; beyond the bounds, repeating the call has the same effect.
    pub(super) fn reconcile_after<T>(&self, outcome: &Result<T, InventoryError>, sku: &Id, group: &Id) {
        let Err(InventoryError::Store(_)) = outcome else { return };
        let Ok(permit) = Arc::clone(&self.0.reconciling).try_acquire_owned() else {
            return;
        };
        let (this, sku, group) = (self.clone(), sku.clone(), group.clone());
        let reconciling = async move {
            let _permit = permit;
            let own = this.target(Keys::inventory_partition(&sku));
            let target = this.target(Keys::inventory_partition(&group));
            let mut pause = FIRST_PAUSE;
            let until = Instant::now() + Duration::from_millis(this.keep_ms().max(CLAIM_MS));
            while let Err(InventoryError::Store(error)) = this.expire_entry(own, target, &sku, &group).await {
                tracing::debug!(%error, %sku, "the group of an item is reconciled later");
                sleep(pause).await;
                if timeout_at(until, this.link().connected()).await.is_err() {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        tokio::spawn(caught("inventory.reconcile", reconciling));
    }
}
