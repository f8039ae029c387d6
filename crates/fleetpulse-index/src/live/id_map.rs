use hashbrown::HashTable;

const SHARD_BITS: u32 = 10;

/// A map from an entity's id to its slot: 1,024 small tables instead of a large one.
///
/// A table that grows moves all it holds; here that is a thousandth of the entities, some microseconds. Each
/// element keeps 32 bits of its hash for the same reason: growing then reads no ids, which are spread over the memory.
#[derive(Debug)]
pub(super) struct IdMap {
    shards: Box<[HashTable<Element>]>,
}

#[derive(Debug, Clone, Copy)]
struct Element {
    hash: u32,
    slot: u32,
}

/// A table takes its bucket from the low bits and its tag from the top seven, so 32 bits are mixed into 64.
const fn mix(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Splits a 64-bit hash: the top bits choose the shard, the low half is kept.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn split(hash: u64) -> (usize, u32) {
    ((hash >> (u64::BITS - SHARD_BITS)) as usize, hash as u32)
}

impl IdMap {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..1 << SHARD_BITS).map(|_| HashTable::new()).collect(),
        }
    }

    /// Returns the slot under `hash` for which `matches` returns true.
    pub(super) fn find(&self, hash: u64, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let (shard, hash) = split(hash);
        self.shards[shard]
            .find(mix(hash), |element| element.hash == hash && matches(element.slot))
            .map(|element| element.slot)
    }

    /// Adds a slot whose id is not in the map.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        let (shard, hash) = split(hash);
        self.shards[shard].insert_unique(mix(hash), Element { hash, slot }, |element| mix(element.hash));
    }

    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let (shard, hash) = split(hash);
        let table = &mut self.shards[shard];
        if let Ok(entry) = table.find_entry(mix(hash), |element| element.slot == slot) {
            entry.remove();
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(HashTable::allocation_size).sum();
        tables + self.shards.len() * size_of::<HashTable<Element>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_hash_and_id_until_removed() {
        let mut map = IdMap::new();
        for slot in 0..10_000_u32 {
            // Only 2,500 hashes: collisions are distinguished by the id.
            map.insert(mix(slot / 4), slot);
        }
        assert_eq!(map.find(mix(10), |slot| slot == 42), Some(42));
        map.remove(mix(10), 42);
        assert_eq!(map.find(mix(10), |slot| slot == 42), None);
        assert_eq!(map.find(mix(10), |slot| slot == 43), Some(43));
    }
}
