const WORDS: usize = (CHUNK / u64::BITS) as usize;
/// Slots a chunk.
const CHUNK: u32 = 1024;

/// A set of slots: a bit each, and a count for every 1,024, so that the search for the next member skips what is empty.
///
/// A hash set would move all its members when it grows, under the index's lock, at the moment when the store becomes unavailable and
/// every entity becomes a member.
#[derive(Debug, Default)]
pub(super) struct SlotSet {
    chunks: Vec<Option<Box<[u64; WORDS]>>>,
    counts: Vec<u16>,
    len: usize,
}

impl SlotSet {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Makes a slot a member, or not.
    pub(super) fn set(&mut self, slot: u32, member: bool) {
        let chunk = (slot / CHUNK) as usize;
        if chunk >= self.chunks.len() {
            if !member {
                return;
            }
            self.chunks.resize_with(chunk + 1, || None);
            self.counts.resize(chunk + 1, 0);
        }
        if !member && self.counts[chunk] == 0 {
            return;
        }
        let word = &mut self.chunks[chunk].get_or_insert_default()[(slot % CHUNK / u64::BITS) as usize];
        let bit = 1 << (slot % u64::BITS);
        if (*word & bit != 0) == member {
            return;
        }
        *word ^= bit;
        if member {
            self.counts[chunk] += 1;
            self.len += 1;
        } else {
            self.counts[chunk] -= 1;
            self.len -= 1;
            if self.counts[chunk] == 0 {
                self.chunks[chunk] = None;
            }
        }
    }

    /// The first member at or after `slot`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "chunks and words are counted from 32-bit slots"
    )]
    pub(super) fn next(&self, slot: u32) -> Option<u32> {
        let mut chunk = (slot / CHUNK) as usize;
        let mut within = slot % CHUNK;
        while chunk < self.chunks.len() {
            if let Some(words) = &self.chunks[chunk] {
                let mut word = (within / u64::BITS) as usize;
                let mut bits = words[word] & (u64::MAX << (within % u64::BITS));
                while bits == 0 && word + 1 < WORDS {
                    word += 1;
                    bits = words[word];
                }
                if bits != 0 {
                    return Some(chunk as u32 * CHUNK + word as u32 * u64::BITS + bits.trailing_zeros());
                }
            }
            chunk += 1;
            within = 0;
        }
        None
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let used = self.counts.iter().filter(|count| **count > 0).count();
        used * size_of::<[u64; WORDS]>()
            + self.chunks.capacity() * size_of::<Option<Box<[u64; WORDS]>>>()
            + self.counts.capacity() * size_of::<u16>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_walked_in_order() {
        let mut set = SlotSet::default();
        let members = [0, 63, 64, 1023, 1024, 9_000];
        for slot in members {
            set.set(slot, true);
            set.set(slot, true);
        }
        set.set(500, false);
        let mut walked = Vec::new();
        let mut from = 0;
        while let Some(slot) = set.next(from) {
            walked.push(slot);
            from = slot + 1;
        }
        assert_eq!(walked, members);
        assert_eq!(set.len(), members.len());
        for slot in members {
            set.set(slot, false);
        }
        assert_eq!((set.len(), set.next(0)), (0, None));
    }
}
