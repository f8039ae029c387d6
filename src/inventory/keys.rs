use crate::ids::Id;
use crate::store::{Keys, fnv1a};

/// How many partitions the inventory has, on a single Redis as on a Cluster, so that what is one script here is one there.
pub const INVENTORY_PARTITIONS: u16 = 16;

impl Keys {
    /// The partition of an item without a group by its SKU, of the items of a group by its name, of a reservation that its
    /// client has named by that name. Stored data, so it stays the same in every release.
    #[must_use]
    pub fn inventory_partition(name: &str) -> u16 {
        u16::try_from(fnv1a(name) % u64::from(INVENTORY_PARTITIONS)).unwrap_or(0)
    }

    /// The items of a partition, by SKU.
    #[must_use]
    pub fn inventory_items(&self, partition: u16) -> String {
        self.inventory("items", partition)
    }

    /// The names of the items of a partition, in order.
    #[must_use]
    pub fn inventory_names(&self, partition: u16) -> String {
        self.inventory("names", partition)
    }

    /// The reservations of a partition, by id.
    #[must_use]
    pub fn inventory_reservations(&self, partition: u16) -> String {
        self.inventory("reservations", partition)
    }

    /// The holds of a partition, by their end.
    #[must_use]
    pub fn inventory_due(&self, partition: u16) -> String {
        self.inventory("due", partition)
    }

    /// The ended and the confirmed reservations of a partition, by when they are looked at again.
    #[must_use]
    pub fn inventory_ended(&self, partition: u16) -> String {
        self.inventory("ended", partition)
    }

    /// The reservations of a partition whose parts elsewhere have not yet heard of the last decision, by when others look after them.
    /// An earlier release listed here also those that are in [`Self::inventory_kept`] now.
    #[must_use]
    pub fn inventory_parted(&self, partition: u16) -> String {
        self.inventory("parted", partition)
    }

    /// The confirmed and released reservations of a partition whose parts elsewhere have heard of it, by when it is checked whether they
    /// can be forgotten; and those with a missing part, by when it is asked for again.
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

    /// The name of an item's group, in the partition that the item would be in without one.
    #[must_use]
    pub fn inventory_group(&self, sku: &Id) -> String {
        let partition = Self::inventory_partition(sku);
        format!("{}inv:{{i:{partition}}}:group:{sku}", self.prefix())
    }

    /// The record of an idempotency key of a call about something in this partition.
    #[must_use]
    pub fn inventory_once(&self, partition: u16, name: &str) -> String {
        format!("{}inv:{{i:{partition}}}:once:{name}", self.prefix())
    }

    /// Channel of the inventory's events; with several partitions of tracking (Cluster) a sharded one in the slot of the keys.
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
