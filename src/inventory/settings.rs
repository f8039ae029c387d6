use clap::Args;
use std::time::Duration;

/// The settings of the inventory slice.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Inventory")]
pub struct InventorySettings {
    /// Retention of an ended reservation, its id and its idempotency key, seconds; a repeated call gets the same answer until
    /// then
    #[arg(long = "inventory-keep", env = "INVENTORY_KEEP_S", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..=2_592_000))]
    pub keep_s: u32,
    /// Maximum calls about reservations that wait for Redis, per worker, and half as many for one partition; beyond it the
    /// answer is 503
    #[arg(long = "inventory-queue", env = "INVENTORY_QUEUE", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub queue: u32,
    /// Maximum number of items; beyond it the answer is 429 `too_many_items`
    #[arg(long = "inventory-items", env = "INVENTORY_MAX_ITEMS", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub items: u64,
}

impl InventorySettings {
    /// Returns the retention of an ended reservation.
    #[must_use]
    pub fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_s))
    }
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            keep_s: 86_400,
            queue: 20_000,
            items: 1_000_000,
        }
    }
}
