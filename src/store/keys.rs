use crate::ids::Id;
use crate::kind::Kind;
use std::fmt::Write;

/// Builds every key and channel name of the service; no name is put together anywhere else.
///
/// `{…}` is the Cluster hash tag: all names of one partition share a slot, so that one script may touch them together.
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
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        u16::try_from(hash % u64::from(self.partitions)).unwrap_or(0)
    }

    /// GEO index of a kind.
    #[must_use]
    pub fn geo(&self, kind: Kind, partition: u16) -> String {
        format!("{}geo:{{{kind}:{partition}}}", self.prefix)
    }

    /// Counter that numbers the stored batches of a partition.
    #[must_use]
    pub fn sequence(&self, kind: Kind, partition: u16) -> String {
        format!("{}seq:{{{kind}:{partition}}}", self.prefix)
    }

    /// Latest fix of an entity; a tombstone after its removal.
    #[must_use]
    pub fn snapshot(&self, kind: Kind, partition: u16, id: &Id) -> String {
        let mut key = String::new();
        self.write_snapshot(&mut key, kind, partition, id);
        key
    }

    /// [`Self::snapshot`] into a buffer that a hot loop keeps.
    pub fn write_snapshot(&self, key: &mut String, kind: Kind, partition: u16, id: &Id) {
        key.clear();
        for part in [&self.prefix, "pos:{", kind.as_str(), ":"] {
            key.push_str(part);
        }
        if partition == 0 {
            key.push('0');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(key, "{partition}");
        }
        key.push_str("}:");
        key.push_str(id);
    }

    /// Profile of an entity.
    #[must_use]
    pub fn profile(&self, kind: Kind, partition: u16, id: &Id) -> String {
        format!("{}profile:{{{kind}:{partition}}}:{id}", self.prefix)
    }

    /// Channel on which the stored batches of a partition are published. With several partitions (Cluster) it is a sharded
    /// channel, in the slot of the keys; the scripts tell the two apart by the hash tag.
    #[must_use]
    pub fn updates(&self, kind: Kind, partition: u16) -> String {
        if self.partitions == 1 {
            return format!("{}updates:{kind}", self.prefix);
        }
        format!("{}updates:{{{kind}:{partition}}}", self.prefix)
    }

    /// Where the number of partitions is written at the first start.
    #[must_use]
    pub fn layout(&self) -> String {
        format!("{}layout", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_agreed() {
        let keys = Keys::new("fp:", 1);
        let id = Id::parse("d-1").unwrap();
        assert_eq!(keys.geo(Kind::Drivers, 0), "fp:geo:{drivers:0}");
        assert_eq!(keys.snapshot(Kind::Users, 0, &id), "fp:pos:{users:0}:d-1");
        assert_eq!(keys.snapshot(Kind::Users, 17, &id), "fp:pos:{users:17}:d-1");
        assert_eq!(keys.profile(Kind::Drivers, 3, &id), "fp:profile:{drivers:3}:d-1");
        assert_eq!(keys.updates(Kind::Vehicles, 0), "fp:updates:vehicles");
        assert_eq!(
            Keys::new("fp:", 64).updates(Kind::Vehicles, 9),
            "fp:updates:{vehicles:9}"
        );
    }

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
