//! The id of an entity.

use compact_str::CompactString;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

/// An id of 1–128 characters of `A–Z a–z 0–9 . _ : @ -`, not `.` or `..`.
///
/// The alphabet leaves out what would need escaping in a key, a URL, JSON or a log line; braces above all, which would
/// move a key to another Cluster slot. Ids of up to 24 bytes are held inline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "utoipa",
    schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^(?!\.{1,2}$)[A-Za-z0-9._:@-]+$", example = "a-1")
)]
pub struct Id(CompactString);

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No characters at all.
    #[error("an id must not be empty")]
    Empty,
    /// More than [`Id::MAX_LEN`] bytes.
    #[error("an id has at most 128 characters")]
    TooLong,
    /// A character outside the alphabet.
    #[error("an id consists of A-Z a-z 0-9 . _ : @ - only")]
    BadCharacter,
    /// `.` or `..`: clients resolve these in a path (RFC 3986, section 5.2.4), so no request could address it.
    #[error("an id must not be . or ..")]
    DotSegment,
}

/// True for the bytes of the id alphabet; a table because every fix of every batch passes through it.
const ALLOWED: [bool; 256] = {
    let mut table = [false; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-";
    let mut i = 0;
    while i < alphabet.len() {
        table[alphabet[i] as usize] = true;
        i += 1;
    }
    table
};

impl Id {
    /// The longest id, in bytes (every allowed character is one byte).
    pub const MAX_LEN: usize = 128;

    /// Parses an id.
    ///
    /// # Errors
    /// [`IdError`] names the first rule that `text` breaks.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(IdError::TooLong);
        }
        if !text.bytes().all(Self::allows) {
            return Err(IdError::BadCharacter);
        }
        if matches!(text, "." | "..") {
            return Err(IdError::DotSegment);
        }
        Ok(Self(CompactString::new(text)))
    }

    /// Returns whether a byte belongs to the alphabet.
    #[must_use]
    #[inline]
    pub const fn allows(byte: u8) -> bool {
        ALLOWED[byte as usize]
    }

    /// Returns the id as text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Id {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Id {
    #[inline]
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Id {
    #[inline]
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Id> for CompactString {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = CompactString::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_and_the_length_are_enforced() {
        assert!(Id::parse("driver:7@fleet.a_b-C").is_ok());
        assert!(Id::parse(&"x".repeat(128)).is_ok());
        assert_eq!(Id::parse(""), Err(IdError::Empty));
        assert_eq!(Id::parse(&"x".repeat(129)), Err(IdError::TooLong));
        for bad in ["a b", "{a}", "a\n", "a/b", "é", "a\0"] {
            assert_eq!(Id::parse(bad), Err(IdError::BadCharacter), "{bad:?}");
        }
    }

    #[test]
    fn a_dot_segment_is_not_an_id() {
        for bad in [".", ".."] {
            assert_eq!(Id::parse(bad), Err(IdError::DotSegment), "{bad:?}");
        }
        for good in ["...", ".a", "a.", "-", "_"] {
            assert!(Id::parse(good).is_ok(), "{good:?}");
        }
    }
}
