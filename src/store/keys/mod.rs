//! Every key and channel name of the service; a file per slice.

mod cache;
mod inventory;
mod jobs;
mod limits;
mod locks;
mod sessions;
mod tracking;

pub use cache::Placed;
pub use inventory::INVENTORY_PARTITIONS;
pub use sessions::SessionPartition;

/// Builds every key and channel name of the service; no name is put together anywhere else.
///
/// `{…}` is the Cluster hash tag: all names with the same one share a slot, so that one script may touch them together.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    partitions: u16,
}

impl Keys {
    /// Names under `prefix`, the entities of each kind spread over `partitions` (at least 1) slots.
    #[must_use]
    pub fn new(prefix: &str, partitions: u16) -> Self {
        Self {
            prefix: prefix.to_owned(),
            partitions: partitions.max(1),
        }
    }

    /// How many partitions each kind has.
    #[must_use]
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The partition that holds all of an entity's data: FNV-1a of its id, modulo the number of partitions.
    ///
    /// FNV-1a because the mapping is stored data: it has to stay the same in every release and be easy to compute elsewhere.
    #[must_use]
    pub fn partition(&self, id: &str) -> u16 {
        if self.partitions == 1 {
            return 0;
        }
        u16::try_from(fnv1a(id) % u64::from(self.partitions)).unwrap_or(0)
    }

    /// Where the number of partitions is written at the first start.
    #[must_use]
    pub fn layout(&self) -> String {
        format!("{}layout", self.prefix)
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_stable_and_within_range() {
        let keys = Keys::new("", 64);
        assert_eq!(keys.partition("driver-1"), keys.partition("driver-1"));
        let mut seen = [0_u32; 64];
        for n in 0..64_000 {
            seen[usize::from(keys.partition(&format!("driver-{n}")))] += 1;
        }
        assert!(seen.iter().all(|count| (500..2_000).contains(count)), "{seen:?}");
        assert_eq!(Keys::new("", 1).partition("anything"), 0);
    }
}
