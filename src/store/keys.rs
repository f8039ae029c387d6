//! What the names of all keys and channels have in common. Each slice adds its own names to [`Keys`] in its `keys.rs`.

/// Builds every key and channel name of the service; no name is put together outside this file and those of the slices.
///
/// `{…}` is the Cluster hash tag: all names with the same one share a slot, so that one script may touch them together.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    partitions: u16,
    /// The common beginning of all channels: prefix and database.
    channels: String,
}

impl Keys {
    /// Names under `prefix`, the entities of each kind spread over `partitions` (at least 1) slots.
    #[must_use]
    pub fn new(prefix: &str, partitions: u16) -> Self {
        Self {
            prefix: prefix.to_owned(),
            partitions: partitions.max(1),
            channels: channels(prefix, 0),
        }
    }

    /// Returns the same names for the database of that number.
    ///
    /// Keys do not change, because the database contains them. Channels include the number, because Redis's pub/sub ignores databases:
    /// without it two deployments in different databases of one server would receive each other's messages.
    #[must_use]
    pub fn in_database(self, number: i64) -> Self {
        Self {
            channels: channels(&self.prefix, number),
            ..self
        }
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What all channels begin with: prefix and database.
    pub(crate) fn channels(&self) -> &str {
        &self.channels
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

    /// Returns the key of the mark of the data set: absent or different after a flush.
    #[must_use]
    pub fn life(&self) -> String {
        format!("{}life", self.prefix)
    }

    /// Returns the key that is written to find out whether Redis takes writes.
    #[must_use]
    pub fn probe(&self) -> String {
        format!("{}probe", self.prefix)
    }
}

fn channels(prefix: &str, database: i64) -> String {
    format!("{prefix}db{database}:")
}

/// Returns the 64-bit FNV-1a of a text. Partitions follow from it, so it is part of the stored data.
pub(crate) fn fnv1a(text: &str) -> u64 {
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
