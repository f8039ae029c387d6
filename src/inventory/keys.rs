use crate::ids::Id;
use crate::store::{Keys, fnv1a};

/// The number of partitions of the inventory, the same on a single Redis and on a Cluster, so that the same calls are atomic on both.
pub const INVENTORY_PARTITIONS: u16 = 16;

impl Keys {
    /// Returns the partition of an item without a group by its SKU, of the items of a group by the name of the group, and of a
    /// reservation by the id that its client chose. It must be the same in every release, because data are stored by it.
    #[must_use]
    pub fn inventory_partition(name: &str) -> u16 {
        u16::try_from(fnv1a(name) % u64::from(INVENTORY_PARTITIONS)).unwrap_or(0)
    }

    /// Returns the key of the items of a partition, by SKU.
    #[must_use]
    pub fn inventory_items(&self, partition: u16) -> String {
        self.inventory("items", partition)
    }

    /// Returns the key of the SKUs of a partition, in order.
    #[must_use]
    pub fn inventory_names(&self, partition: u16) -> String {
        self.inventory("names", partition)
    }

    /// Returns the key of the reservations of a partition, by id.
    #[must_use]
    pub fn inventory_reservations(&self, partition: u16) -> String {
        self.inventory("reservations", partition)
    }

    /// Returns the key of the holds of a partition, by the time at which they expire.
    #[must_use]
    pub fn inventory_due(&self, partition: u16) -> String {
        self.inventory("due", partition)
    }

    /// Returns the key of the ended and confirmed reservations of a partition, by the time at which a sweep checks them.
    #[must_use]
    pub fn inventory_ended(&self, partition: u16) -> String {
        self.inventory("ended", partition)
    }

    /// Returns the key of the reservations of a partition whose parts in other partitions have not followed the last decision, by the time
    /// at which a sweep checks them. An earlier release also listed those of [`Self::inventory_kept`] here.
    #[must_use]
    pub fn inventory_parted(&self, partition: u16) -> String {
        self.inventory("parted", partition)
    }

    /// Returns the key of the confirmed and released reservations of a partition whose parts in other partitions have followed, by the time
    /// at which a sweep checks whether they can be forgotten; and of those with a missing part, by the time of the next attempt.
    #[must_use]
    pub fn inventory_kept(&self, partition: u16) -> String {
        self.inventory("kept", partition)
    }

    /// Returns the key of the latest time that a sweep of a partition has seen, with the cursor of a correction after the clock was set
    /// back.
    #[must_use]
    pub fn inventory_clock(&self, partition: u16) -> String {
        self.inventory("clock", partition)
    }

    /// Returns the key of the group of an item, in the partition that the item is in without a group.
    #[must_use]
    pub fn inventory_group(&self, sku: &Id) -> String {
        let partition = Self::inventory_partition(sku);
        format!("{}inv:{{i:{partition}}}:group:{sku}", self.prefix())
    }

    /// Returns the key of the record of an idempotency key, in the partition that the call is about.
    #[must_use]
    pub fn inventory_once(&self, partition: u16, name: &str) -> String {
        format!("{}inv:{{i:{partition}}}:once:{name}", self.prefix())
    }

    /// Returns the channel of the events; on a Cluster a sharded channel in the slot of the keys.
    #[must_use]
    pub fn inventory_events(&self, partition: u16) -> String {
        if self.partitions() == 1 {
            return format!("{}inventory", self.channels());
        }
        format!("{}inventory:{{i:{partition}}}", self.channels())
    }

    fn inventory(&self, what: &str, partition: u16) -> String {
        format!("{}inv:{{i:{partition}}}:{what}", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        let keys = Keys::new("fp:", 1);
        let sku = Id::parse("seat-1").unwrap();
        let home = Keys::inventory_partition("seat-1");
        assert_eq!(keys.inventory_items(7), "fp:inv:{i:7}:items");
        assert_eq!(keys.inventory_group(&sku), format!("fp:inv:{{i:{home}}}:group:seat-1"));
        assert_eq!(keys.inventory_once(7, "0a"), "fp:inv:{i:7}:once:0a");
        assert_eq!(keys.inventory_events(3), "fp:db0:inventory");
        assert_eq!(Keys::new("fp:", 64).inventory_events(3), "fp:db0:inventory:{i:3}");
    }

    #[test]
    fn a_partition_is_the_same_in_every_release() {
        // 0xaf63dc4c8601ec8c by the published FNV-1a.
        assert_eq!(Keys::inventory_partition("a"), 0xc);
        assert!((0..1_000).all(|n| Keys::inventory_partition(&n.to_string()) < INVENTORY_PARTITIONS));
    }
}
