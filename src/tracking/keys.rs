use crate::ids::Id;
use crate::kind::Kind;
use crate::store::Keys;
use std::fmt::Write;

impl Keys {
    /// GEO index of a kind.
    #[must_use]
    pub fn geo(&self, kind: Kind, partition: u16) -> String {
        format!("{}geo:{{{kind}:{partition}}}", self.prefix())
    }

    /// Counter that numbers the stored batches of a partition.
    #[must_use]
    pub fn sequence(&self, kind: Kind, partition: u16) -> String {
        format!("{}seq:{{{kind}:{partition}}}", self.prefix())
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

    /// Profile of an entity.
    #[must_use]
    pub fn profile(&self, kind: Kind, partition: u16, id: &Id) -> String {
        format!("{}profile:{{{kind}:{partition}}}:{id}", self.prefix())
    }

    /// Channel on which the stored batches of a partition are published. With several partitions (Cluster) it is a sharded
    /// channel, in the slot of the keys; the scripts tell the two apart by the hash tag.
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
    fn names_are_as_agreed() {
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
