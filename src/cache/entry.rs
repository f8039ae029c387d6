//! The encoding of an entry in Redis: a header of fixed size, the tags, the bytes of the value.
//!
//! | bytes | content |
//! |---|---|
//! | 0 | the version of the format, 1 |
//! | 1 | 0 for an entry, 1 for the mark of a computation, which has only the first 24 bytes |
//! | 2–3 | the number of tags |
//! | 4–7 | the duration of the computation, µs |
//! | 8–15 | its nonce; the scripts compare it |
//! | 16–23 | when its computation began, ms of Redis's clock; the scripts compare it |
//! | 24–31 | until when it is fresh, ms of Redis's clock; the scripts change it |
//! | 32–35, 36–39 | how long after that it may be served while it is computed again, and if that fails, ms |
//! | 40–43 | how long an instance may keep it in its own memory, ms |
//! | 44–51 | the version of the namespace that it depends on |
//! | 52– | for each tag: its length (1), its text, the version that the entry depends on (8); then the value |
//!
//! Numbers are big-endian.

use super::model::Tag;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const FORM: u8 = 1;
/// The length of the fixed part of an entry.
const FIXED: usize = 52;
/// The length of a mark.
const MARK: usize = 24;

/// A random name that no two writes share, so that a lost, evicted or renewed one is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Nonce(pub [u8; 8]);

impl Nonce {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

/// The version of a tag or a namespace. The next invalidation removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub nonce: Nonce,
    /// When it was created, ms of Redis's clock.
    pub born_ms: u64,
    /// Entries whose computation began by this time are outdated, ms of Redis's clock; 0 for none.
    pub floor_ms: u64,
}

impl Version {
    /// Decodes what the scripts write; `None` for anything else, which then counts as a missing version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 24] = bytes.try_into().ok()?;
        Some(Self {
            nonce: Nonce(at(bytes, 0)?),
            born_ms: u64::from_be_bytes(at(bytes, 8)?),
            floor_ms: u64::from_be_bytes(at(bytes, 16)?),
        })
    }

    /// Returns whether a value is valid whose computation began at `made_ms`, under `nonce`.
    pub(super) fn upholds(&self, nonce: Nonce, made_ms: u64) -> bool {
        self.nonce == nonce && made_ms > self.floor_ms
    }
}

/// The header of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub nonce: Nonce,
    pub made_ms: u64,
    pub fresh_until_ms: u64,
    pub stale_ms: u32,
    pub error_ms: u32,
    pub cost_us: u32,
    pub local_ms: u32,
    pub namespace: Nonce,
    pub tags: Vec<(Tag, Nonce)>,
}

/// What a stored string is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// The mark of a computation.
    Mark(Nonce),
    /// An entry with its value.
    Entry(Head, Bytes),
    /// Something else, with the bytes at the position of the nonce.
    Corrupt(Option<Nonce>),
}

impl Stored {
    pub(super) fn decode(bytes: &Bytes) -> Self {
        let corrupt = || Self::Corrupt(at(bytes, 8).map(Nonce));
        match (bytes.first(), bytes.get(1)) {
            (Some(&FORM), Some(1)) if bytes.len() == MARK => {
                at(bytes, 8).map_or_else(corrupt, |nonce| Self::Mark(Nonce(nonce)))
            }
            (Some(&FORM), Some(0)) => entry(bytes).unwrap_or_else(corrupt),
            _ => corrupt(),
        }
    }

    /// Returns the nonce that scripts compare.
    pub(super) const fn nonce(&self) -> Option<Nonce> {
        match self {
            Self::Mark(nonce) => Some(*nonce),
            Self::Entry(head, _) => Some(head.nonce),
            Self::Corrupt(nonce) => *nonce,
        }
    }
}

/// Returns the first 16 bytes of a computation's mark; the script adds the time.
pub(super) fn mark(nonce: Nonce) -> [u8; 16] {
    let mut bytes = [0; 16];
    (bytes[0], bytes[1]) = (FORM, 1);
    bytes[8..].copy_from_slice(&nonce.0);
    bytes
}

impl Head {
    /// Returns the string to write. There are at most 255 tags, each of at most 128 bytes.
    pub(super) fn encode(&self, value: &[u8]) -> Vec<u8> {
        let tags: usize = self.tags.iter().map(|(tag, _)| 9 + tag.len()).sum();
        let mut bytes = Vec::with_capacity(FIXED + tags + value.len());
        bytes.extend([FORM, 0]);
        bytes.extend(u16::try_from(self.tags.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(self.cost_us.to_be_bytes());
        bytes.extend(self.nonce.0);
        bytes.extend(self.made_ms.to_be_bytes());
        bytes.extend(self.fresh_until_ms.to_be_bytes());
        bytes.extend(self.stale_ms.to_be_bytes());
        bytes.extend(self.error_ms.to_be_bytes());
        bytes.extend(self.local_ms.to_be_bytes());
        bytes.extend(self.namespace.0);
        for (tag, version) in &self.tags {
            bytes.push(u8::try_from(tag.len()).unwrap_or(u8::MAX));
            bytes.extend(tag.as_bytes());
            bytes.extend(version.0);
        }
        bytes.extend_from_slice(value);
        bytes
    }

    /// Returns how long it is kept after it is no longer fresh, ms.
    pub(super) const fn afterlife_ms(&self) -> u64 {
        (if self.stale_ms > self.error_ms {
            self.stale_ms
        } else {
            self.error_ms
        }) as u64
    }
}

fn entry(bytes: &Bytes) -> Option<Stored> {
    let count = u16::from_be_bytes(at(bytes, 2)?);
    let mut head = Head {
        cost_us: u32::from_be_bytes(at(bytes, 4)?),
        nonce: Nonce(at(bytes, 8)?),
        made_ms: u64::from_be_bytes(at(bytes, 16)?),
        fresh_until_ms: u64::from_be_bytes(at(bytes, 24)?),
        stale_ms: u32::from_be_bytes(at(bytes, 32)?),
        error_ms: u32::from_be_bytes(at(bytes, 36)?),
        local_ms: u32::from_be_bytes(at(bytes, 40)?),
        namespace: Nonce(at(bytes, 44)?),
        tags: Vec::with_capacity(usize::from(count).min(64)),
    };
    let mut from = FIXED;
    for _ in 0..count {
        let length = usize::from(*bytes.get(from)?);
        let tag = std::str::from_utf8(bytes.get(from + 1..from + 1 + length)?).ok()?;
        let version = Nonce(at(bytes, from + 1 + length)?);
        head.tags.push((Tag::parse(tag).ok()?, version));
        from += 9 + length;
    }
    Some(Stored::Entry(head, bytes.slice(from..)))
}

/// Returns the `N` bytes from an index on, if there are as many.
fn at<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..from + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(tags: &[&str]) -> Head {
        let tags = tags.iter().map(|tag| (Tag::parse(tag).unwrap(), Nonce::random()));
        Head {
            nonce: Nonce::random(),
            made_ms: 1_763_000_000_000,
            fresh_until_ms: 1_763_000_060_000,
            stale_ms: 7,
            error_ms: 8,
            cost_us: 9,
            local_ms: 10,
            namespace: Nonce::random(),
            tags: tags.collect(),
        }
    }

    #[test]
    fn an_encoded_entry_decodes_to_the_same() {
        for tags in [&[][..], &["a"], &["product:7", "b", &"x".repeat(128)]] {
            for value in [&b""[..], b"null", b"{\"a\":1}"] {
                let head = head(tags);
                let bytes = Bytes::from(head.encode(value));
                assert_eq!(bytes[8..16], head.nonce.0);
                assert_eq!(bytes[16..24], head.made_ms.to_be_bytes());
                assert_eq!(bytes[24..32], head.fresh_until_ms.to_be_bytes());
                assert_eq!(
                    Stored::decode(&bytes),
                    Stored::Entry(head, Bytes::copy_from_slice(value))
                );
            }
        }
    }

    #[test]
    fn a_mark_is_not_an_entry() {
        let nonce = Nonce::random();
        let mut bytes = mark(nonce).to_vec();
        bytes.extend([0; 8]);
        assert_eq!(Stored::decode(&bytes.into()), Stored::Mark(nonce));
    }

    #[test]
    fn a_version_validates_values_computed_under_it_after_its_time() {
        let nonce = Nonce::random();
        let mut bytes = nonce.0.to_vec();
        bytes.extend(5_u64.to_be_bytes());
        bytes.extend(100_u64.to_be_bytes());
        let version = Version::decode(&bytes).unwrap();
        assert_eq!((version.born_ms, version.floor_ms), (5, 100));
        assert!(version.upholds(nonce, 101));
        assert!(!version.upholds(nonce, 100));
        assert!(!version.upholds(Nonce::random(), 101));
        assert_eq!(Version::decode(&bytes[..23]), None);
    }

    proptest! {
        #[test]
        fn any_stored_bytes_decode_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Stored::decode(&bytes.into());
        }

        #[test]
        fn a_header_that_is_cut_off_is_corrupt(cut in 0_usize..100) {
            let head = head(&["product:7", "b"]);
            let whole = head.encode(b"");
            let cut = cut % whole.len();
            let stored = Stored::decode(&Bytes::from(whole[..cut].to_vec()));
            prop_assert!(matches!(stored, Stored::Corrupt(_)));
        }
    }
}
