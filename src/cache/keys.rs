use crate::ids::Id;
use crate::store::Keys;

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// A key and its partition: keys of one partition share a slot, and may be used in one command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placed {
    /// The partition.
    pub partition: u16,
    /// The key.
    pub name: String,
}

impl Keys {
    /// Returns the key of an entry. A namespace has no slash, so no two pairs share a name. The entries of a namespace are distributed over all
    /// partitions.
    #[must_use]
    pub fn cache_entry(&self, namespace: &Id, key: &str) -> Placed {
        self.cache_key("cache:{c:", namespace, "/", key)
    }

    /// Returns the key of the lease for computing an entry; in the entry's slot.
    #[must_use]
    pub fn cache_lease(&self, namespace: &Id, key: &str) -> Placed {
        self.cache_key("cache-lease:{c:", namespace, "/", key)
    }

    /// Returns the key of a counter.
    #[must_use]
    pub fn cache_counter(&self, namespace: &Id, name: &str) -> Placed {
        self.cache_key("cache-count:{c:", namespace, "/", name)
    }

    /// Returns the key of the record of an idempotency key, for a counter of this partition.
    #[must_use]
    pub fn cache_once(&self, partition: u16, name: &str) -> String {
        format!("{}cache-once:{{c:{partition}}}:{name}", self.prefix())
    }

    /// Returns the key of the version of a namespace, on which all of its entries depend.
    #[must_use]
    pub fn cache_namespace(&self, namespace: &Id) -> Placed {
        self.cache_key("cache-version:{c:", "n:", "", namespace)
    }

    /// Returns the key of the version of a tag.
    #[must_use]
    pub fn cache_tag(&self, tag: &Id) -> Placed {
        self.cache_key("cache-version:{c:", "t:", "", tag)
    }

    /// Returns the key of the lease for warming the cache.
    #[must_use]
    pub fn cache_warming(&self) -> String {
        format!("{}cache-warming", self.prefix())
    }

    /// Returns the channel of invalidations, to which every instance subscribes.
    #[must_use]
    pub fn cache_channel(&self) -> String {
        format!("{}cache", self.channels())
    }

    /// Returns the prefix of all entries of a namespace in a partition.
    #[must_use]
    pub fn cache_entries(&self, namespace: &Id, partition: u16) -> String {
        format!("{}cache:{{c:{partition}}}:{namespace}/", self.prefix())
    }

    // Without `format!`, because every read of the cache builds two names, and this is faster.
    fn cache_key(&self, what: &str, first: &str, between: &str, last: &str) -> Placed {
        let partition = if self.partitions() == 1 {
            0
        } else {
            let bytes = first.bytes().chain(between.bytes()).chain(last.bytes());
            let hash = bytes.fold(FNV_BASIS, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            u16::try_from(hash % u64::from(self.partitions())).unwrap_or(0)
        };
        let room = self.prefix().len() + what.len() + first.len() + between.len() + last.len() + 8;
        let mut name = String::with_capacity(room);
        name.push_str(self.prefix());
        name.push_str(what);
        name.push_str(itoa::Buffer::new().format(partition));
        name.push_str("}:");
        name.push_str(first);
        name.push_str(between);
        name.push_str(last);
        Placed { partition, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> Id {
        Id::parse(id).unwrap()
    }

    #[test]
    fn key_names_are_stable() {
        let keys = Keys::new("fp:", 1);
        let prices = id("prices");
        assert_eq!(
            keys.cache_entry(&prices, "a b/ü{x}").name,
            "fp:cache:{c:0}:prices/a b/ü{x}"
        );
        assert_eq!(keys.cache_lease(&prices, "a").name, "fp:cache-lease:{c:0}:prices/a");
        assert_eq!(keys.cache_counter(&prices, "a").name, "fp:cache-count:{c:0}:prices/a");
        assert_eq!(keys.cache_namespace(&prices).name, "fp:cache-version:{c:0}:n:prices");
        assert_eq!(
            keys.cache_tag(&id("product:7")).name,
            "fp:cache-version:{c:0}:t:product:7"
        );
        assert_eq!(keys.cache_once(3, "0a"), "fp:cache-once:{c:3}:0a");
        assert_eq!(keys.cache_channel(), "fp:db0:cache");
        assert_eq!(keys.cache_warming(), "fp:cache-warming");
        assert_eq!(keys.cache_entries(&prices, 0), "fp:cache:{c:0}:prices/");
    }

    #[test]
    fn a_namespace_uses_all_partitions_and_a_lease_shares_the_slot_of_its_entry() {
        let keys = Keys::new("fp:", 64);
        let mut seen = [0_u32; 64];
        for n in 0..6_400 {
            let key = format!("item-{n}");
            let entry = keys.cache_entry(&id("prices"), &key);
            assert!(entry.name.contains(&format!("{{c:{}}}", entry.partition)));
            assert_eq!(keys.cache_lease(&id("prices"), &key).partition, entry.partition);
            seen[usize::from(entry.partition)] += 1;
        }
        assert!(seen.iter().all(|count| (50..200).contains(count)), "{seen:?}");
    }
}
