//! The background sweep: expires holds that no call has expired, and completes the parts of reservations.
//!
//! Every instance sweeps every partition a few times a second; an idle partition costs one script call. Holds that are due are expired in
//! pieces. The script expires each hold once, however many instances sweep. Each partition is swept at its own pace, so a slow partition
//! delays no other.
//!
//! Reservations whose parts in other partitions have not followed the last decision come first, because their parts expire. Only when
//! there are none left, a bounded number of the others is checked in each tick, and those that can be forgotten are deleted.

use super::commands::{self, Capacity, Work};
use super::keys::INVENTORY_PARTITIONS;
use super::{Inventory, InventoryError};
use crate::ids::Id;
use crate::store::StoreError;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The interval of sweeps of a partition: a hold is expired well within a second of its end.
const TICK: Duration = Duration::from_millis(400);
/// The most pieces of one partition in one tick.
const MOST_PIECES: usize = 100;
/// Reservations of a piece whose parts are completed, and how many of them at the same time.
const PIECE: usize = 100;
const AT_ONCE: usize = 32;
/// Reservations of a piece that are checked whether they can be forgotten, how many of them at the same time, and the most such pieces
/// of one partition in one tick: about 500 reservations a second and partition.
const KEPT_PIECE: usize = 50;
const KEPT_AT_ONCE: usize = 8;
const MOST_KEPT_PIECES: usize = 4;

/// Sweeps until it is dropped.
pub async fn keep_sweeping(inventory: Inventory) {
    each_at_its_own_pace(async |partition| {
        if inventory.link().is_up()
            && let Err(error) = sweep(&inventory, partition).await
        {
            tracing::debug!(%error, partition, "the inventory cannot be swept yet");
        }
    })
    .await;
}

/// Calls `sweep` for each partition repeatedly.
async fn each_at_its_own_pace(sweep: impl AsyncFn(u16)) {
    let keep_sweeping = async |partition| {
        // Not in step with the other instances and partitions.
        sleep(TICK.mul_f64(rand::random_range(0.0..1.0))).await;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            sweep(partition).await;
        }
    };
    join_all((0..INVENTORY_PARTITIONS).map(keep_sweeping)).await;
}

async fn sweep(inventory: &Inventory, partition: u16) -> Result<(), StoreError> {
    let mut kept_pieces = 0;
    for _ in 0..MOST_PIECES {
        let capacity = Capacity {
            parted: PIECE,
            kept: if kept_pieces < MOST_KEPT_PIECES { KEPT_PIECE } else { 0 },
        };
        let counting = inventory.0.items.of(partition).begin_count();
        let swept = commands::sweep(inventory.target(partition), capacity).await?;
        counting.end(swept.items);
        let has_more = match &swept.work {
            Work::Parted(ids) => {
                complete_all(inventory, ids, AT_ONCE).await;
                // Also after the last piece, because the other list comes next.
                true
            }
            Work::Kept(ids) => {
                complete_all(inventory, ids, KEPT_AT_ONCE).await;
                kept_pieces += 1;
                ids.len() == KEPT_PIECE
            }
        };
        if !swept.due && !swept.ended && !has_more {
            break;
        }
    }
    Ok(())
}

/// Completes the parts of these reservations, `at_once` at the same time. Failures are logged.
async fn complete_all(inventory: &Inventory, ids: &[Id], at_once: usize) {
    let completing = stream::iter(ids).for_each_concurrent(at_once, async |id| {
        if let Err(error) = inventory.complete_one(id).await {
            match error {
                InventoryError::Store(_) | InventoryError::Busy => {
                    tracing::debug!(%error, "the parts of a reservation are completed later");
                }
                // A decision cannot be carried out, because its parts expired while no instance could complete them.
                _ => tracing::warn!(%id, %error, "a part of a reservation is missing"),
            }
        }
    });
    completing.await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::pending;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_partition_that_hangs_delays_no_other() {
        let sweeps = RefCell::new(vec![0; usize::from(INVENTORY_PARTITIONS)]);
        let sweeping = each_at_its_own_pace(async |partition| {
            sweeps.borrow_mut()[usize::from(partition)] += 1;
            if partition == 3 {
                pending::<()>().await;
            }
        });
        assert!(timeout(TICK * 4, sweeping).await.is_err());
        for (partition, sweeps) in sweeps.into_inner().into_iter().enumerate() {
            assert!(
                if partition == 3 { sweeps == 1 } else { sweeps >= 2 },
                "{partition}: {sweeps}"
            );
        }
    }
}
