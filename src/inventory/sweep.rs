//! Holds whose time is over, of items that nobody calls about.
//!
//! Every instance looks at every partition a few times a second: one script call that finds nothing is all that costs. What
//! is due is ended in pieces, and by whoever comes first: the script ends each hold once, however many sweep.

use super::{Inventory, InventoryError, commands};
use crate::store::{INVENTORY_PARTITIONS, StoreError};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often each partition is looked at: a hold is ended well within a second of its end.
const TICK: Duration = Duration::from_millis(400);
/// Pieces of one partition in one tick; what is left waits for the next.
const MOST_PIECES: usize = 100;
/// Reservations of a piece whose parts are looked after.
const MOST_PARTED: usize = 10;

/// Sweeps for ever.
pub async fn keep_sweeping(inventory: Inventory) {
    // Not in step with the other instances.
    sleep(TICK.mul_f64(rand::random_range(0.0..1.0))).await;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !inventory.link().is_up() {
            continue;
        }
        let swept = join_all((0..INVENTORY_PARTITIONS).map(|partition| sweep(&inventory, partition))).await;
        if let Some(error) = swept.into_iter().find_map(Result::err) {
            tracing::debug!(%error, "the inventory cannot be swept yet");
        }
    }
}

async fn sweep(inventory: &Inventory, partition: u16) -> Result<(), StoreError> {
    for _ in 0..MOST_PIECES {
        let swept = commands::sweep(inventory.target(partition), MOST_PARTED).await?;
        for id in &swept.parted {
            if let Err(error) = inventory.drive(id).await {
                match error {
                    InventoryError::Store(_) | InventoryError::Busy => {
                        tracing::debug!(%error, "the parts of a reservation are looked after later");
                    }
                    // Something that was decided cannot be had: its parts ran out while nobody could look after them.
                    _ => tracing::warn!(%id, %error, "a part of a reservation is missing"),
                }
            }
        }
        if !swept.due && !swept.ended {
            break;
        }
    }
    Ok(())
}
