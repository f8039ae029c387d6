//! The subjects of invalidations, as hashes, and the messages that publish them.

use crate::ids::Id;

/// The hash of what is invalidated: an entry, a namespace or a tag. It is sent over the channel, so it is the same in every release. It
/// processes eight bytes per step, because each hit computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject(pub u64);

impl Subject {
    pub(super) fn entry(namespace: &Id, key: &str) -> Self {
        Self(mixed(taken_in(taken_in(1, namespace.as_bytes()), key.as_bytes())))
    }

    pub(super) fn namespace(namespace: &Id) -> Self {
        Self(mixed(taken_in(2, namespace.as_bytes())))
    }

    pub(super) fn tag(tag: &Id) -> Self {
        Self(mixed(taken_in(3, tag.as_bytes())))
    }
}

fn taken_in(hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(hash, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The length distinguishes texts that end in zeros, and where one text ends and the next begins.
    step(step(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

/// The finalizer of `MurmurHash3` (Appleby), so that every bit affects the lowest ones.
const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A message of the channel: the hashes of what is invalidated, 8 bytes each, big-endian.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn of(subjects: impl IntoIterator<Item = Subject>) -> Self {
        let mut bytes = Vec::new();
        for Subject(hash) in subjects {
            bytes.extend(hash.to_be_bytes());
        }
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns a message with only the hashes at these indexes.
    pub(super) fn part(&self, places: &[usize]) -> Self {
        let (subjects, _) = self.0.as_chunks::<8>();
        let those = places.iter().filter_map(|&place| subjects.get(place));
        Self(those.flatten().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_same_in_every_release() {
        let prices = Id::parse("prices").unwrap();
        let subjects = [
            Subject::entry(&prices, "a/b"),
            Subject::namespace(&prices),
            Subject::tag(&prices),
        ];
        assert_eq!(
            subjects.map(|Subject(hash)| hash),
            [0x5847_18c1_0cf8_3a95, 0x9301_d116_2bf4_d724, 0x42ea_c3ef_e814_f187],
            "{subjects:x?}"
        );
        let bc = Id::parse("bc").unwrap();
        assert_ne!(Subject::entry(&Id::parse("b").unwrap(), "cd"), Subject::entry(&bc, "d"));
    }
}
