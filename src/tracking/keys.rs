use crate::ids::Id;
use crate::kind::Kind;
use crate::store::Keys;
use std::fmt::Write;

impl Keys {
    /// Returns the key of the GEO index of a partition.
    #[must_use]
    pub fn geo(&self, kind: Kind, partition: u16) -> String {
        format!("{}geo:{{{kind}:{partition}}}", self.prefix())
    }

    /// Returns the key of the counter that numbers the stored batches of a partition.
    #[must_use]
    pub fn sequence(&self, kind: Kind, partition: u16) -> String {
        format!("{}seq:{{{kind}:{partition}}}", self.prefix())
    }

    /// Returns the key of the latest fix of an entity, or of its tombstone after a removal.
    #[must_use]
    pub fn snapshot(&self, kind: Kind, partition: u16, id: &Id) -> String {
        let mut key = String::new();
        self.write_snapshot(&mut key, kind, partition, id);
        key
    }

    /// Writes [`Self::snapshot`] to a buffer, so that a hot loop allocates nothing.
    pub fn write_snapshot(&self, key: &mut String, kind: Kind, partition: u16, id: &Id) {
        key.clear();
        for part in [self.prefix(), "pos:{", kind.as_str(), ":"] {
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

    /// Returns the key of the profile of an entity.
    #[must_use]
    pub fn profile(&self, kind: Kind, partition: u16, id: &Id) -> String {
        format!("{}profile:{{{kind}:{partition}}}:{id}", self.prefix())
    }

    /// Returns the channel on which the stored batches of a partition are published. With several partitions (Cluster) it is a sharded
    /// channel in the slot of the keys, which the scripts recognise by its hash tag.
    #[must_use]
    pub fn updates(&self, kind: Kind, partition: u16) -> String {
        if self.partitions() == 1 {
            return format!("{}updates:{kind}", self.channels());
        }
        format!("{}updates:{{{kind}:{partition}}}", self.channels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_stable() {
        let keys = Keys::new("fp:", 1);
        let id = Id::parse("d-1").unwrap();
        assert_eq!(keys.geo(Kind::Drivers, 0), "fp:geo:{drivers:0}");
        assert_eq!(keys.snapshot(Kind::Users, 0, &id), "fp:pos:{users:0}:d-1");
        assert_eq!(keys.snapshot(Kind::Users, 17, &id), "fp:pos:{users:17}:d-1");
        assert_eq!(keys.profile(Kind::Drivers, 3, &id), "fp:profile:{drivers:3}:d-1");
        assert_eq!(keys.updates(Kind::Vehicles, 0), "fp:db0:updates:vehicles");
        assert_eq!(
            Keys::new("fp:", 64).updates(Kind::Vehicles, 9),
            "fp:db0:updates:{vehicles:9}"
        );
    }
}
