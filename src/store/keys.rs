//! The common part of the names of all keys and channels. Each slice adds its own names to [`Keys`] in its `keys.rs`.

/// Builds the names of all keys and channels. Names are built only here and in the `keys.rs` of the slices.
///
/// `{…}` is the Cluster hash tag: names with the same tag share a slot, so that one script may use all of them.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    partitions: u16,
    /// The prefix of all channels: the key prefix and the database.
    channels: String,
}

impl Keys {
    /// Creates names with this prefix. The entities of each kind are distributed over `partitions` slots (at least 1).
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

    /// Returns the prefix of all keys.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the prefix of all channels: the key prefix and the database.
    pub(crate) fn channels(&self) -> &str {
        &self.channels
    }

    /// Returns the number of partitions of each kind.
    #[must_use]
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Returns the partition that contains all data of an entity: FNV-1a of its id, modulo the number of partitions.
    ///
    /// The mapping determines where data is stored, so it must be the same in every release, and other programs must be able to compute it.
    #[must_use]
    pub fn partition(&self, id: &str) -> u16 {
        if self.partitions == 1 {
            return 0;
        }
        u16::try_from(fnv1a(id) % u64::from(self.partitions)).unwrap_or(0)
    }

    /// Returns the key that contains the number of partitions, written at the first start.
    #[must_use]
    pub fn layout(&self) -> String {
        format!("{}layout", self.prefix)
    }

    /// Returns the key of the random value that identifies the data: absent or different after a flush.
    #[must_use]
    pub fn life(&self) -> String {
        format!("{}life", self.prefix)
    }

    /// Returns the key that is written to check whether Redis accepts writes.
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
