//! The two forms of names that clients choose: [`Id`] for what is ours (entity, SKU, queue, room, lock), [`ExternalId`] for what other
//! systems have named (subject, limit key, idempotency key, owner).

use compact_str::CompactString;
use serde::{Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt::{self, Write};
use std::ops::Deref;
use utoipa::ToSchema;

/// The longest id, in bytes (every allowed character is one byte).
pub const MAX_LEN: usize = 128;

/// Reserved words of the paths under `/v1/{kind}`: an entity with such an id could be written in a batch but not be read by its path.
pub const RESERVED_ENTITIES: &[&str] = &["nearby", "within", "positions", "stream", "density"];

/// An id of 1–128 characters of `A–Z a–z 0–9 . _ : @ -`, not `.` or `..`.
///
/// The alphabet leaves out what would need escaping in a key, a URL, JSON or a log line; braces above all, which would
/// move a key to another Cluster slot. Ids of up to 24 bytes are held inline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^(?!\.{1,2}$)[A-Za-z0-9._:@-]+$", example = "a-1")]
pub struct Id(CompactString);

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No characters at all.
    #[error("an id must not be empty")]
    Empty,
    /// More than [`MAX_LEN`] bytes.
    #[error("an id has at most 128 characters")]
    TooLong,
    /// A character outside the alphabet.
    #[error("an id consists of A-Z a-z 0-9 . _ : @ - only")]
    BadCharacter,
    /// `.` or `..`: clients resolve these in a path (RFC 3986, section 5.2.4), so no request could address it.
    #[error("an id must not be . or ..")]
    DotSegment,
}

/// Why a text is not the id of a member of a collection that reserves some words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberIdError {
    /// It is not an id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A reserved word of the collection's own paths.
    #[error("{} are words of this collection's own paths; choose another id", .0.join(", "))]
    Reserved(&'static [&'static str]),
}

/// Parses the id of a member of a collection whose paths reserve some words.
///
/// # Errors
/// [`MemberIdError`] says whether the text is a reserved word or not an id.
pub fn parse_member(text: &str, reserved: &'static [&'static str]) -> Result<Id, MemberIdError> {
    if reserved.contains(&text) {
        return Err(MemberIdError::Reserved(reserved));
    }
    Ok(Id::parse(text)?)
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
    /// Parses an id.
    ///
    /// # Errors
    /// [`IdError`] names the first rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(IdError::TooLong);
        }
        if !text.bytes().all(|byte| ALLOWED[usize::from(byte)]) {
            return Err(IdError::BadCharacter);
        }
        if matches!(text, "." | "..") {
            return Err(IdError::DotSegment);
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Id {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The longest name of another system, in bytes.
pub const MAX_EXTERNAL_LEN: usize = 256;

/// A name that another system has given: 1 to 256 bytes of any text without control characters, not `.` or `..`.
///
/// In a key it always comes last, or is hashed, so that no character of it can be mistaken for a separator or a hash tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^(?!\.{1,2}$)[^\u0000-\u001F\u007F-\u009F]+$", example = "auth0|5f7c")]
pub struct ExternalId(CompactString);

/// Why a text is not an [`ExternalId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExternalIdError {
    /// No characters at all.
    #[error("must not be empty")]
    Empty,
    /// More than [`MAX_EXTERNAL_LEN`] bytes.
    #[error("must have at most 256 bytes of UTF-8")]
    TooLong,
    /// A control character, a line break or NUL among them.
    #[error("must not have control characters")]
    Control,
    /// `.` or `..`: clients resolve these in a path, even where they are percent-encoded.
    #[error("must not be . or ..")]
    DotSegment,
}

impl ExternalId {
    /// Parses a name.
    ///
    /// # Errors
    /// [`ExternalIdError`] names the first rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, ExternalIdError> {
        if text.is_empty() {
            return Err(ExternalIdError::Empty);
        }
        if text.len() > MAX_EXTERNAL_LEN {
            return Err(ExternalIdError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ExternalIdError::Control);
        }
        if matches!(text, "." | "..") {
            return Err(ExternalIdError::DotSegment);
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in the alphabet of [`Id`] and `%`: other bytes are percent-encoded. The encoding of an [`Id`] is itself.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut encoded = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if ALLOWED[usize::from(byte)] {
                encoded.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    }

    /// Reads what [`Self::encoded`] wrote.
    #[must_use]
    pub fn decode(encoded: &str) -> Option<Self> {
        Self::parse(&percent_decoded(encoded)?).ok()
    }
}

/// What a percent-encoded text says; `None` if it is malformed or not UTF-8.
#[must_use]
pub fn percent_decoded(raw: &str) -> Option<String> {
    let mut parts = raw.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let code = part
            .get(..2)
            .filter(|code| code.bytes().all(|c| c.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

impl Deref for ExternalId {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Id> for ExternalId {
    fn from(Id(id): Id) -> Self {
        Self(id)
    }
}

impl Serialize for ExternalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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

    #[test]
    fn a_reserved_word_is_refused_as_it_is_written() {
        for word in RESERVED_ENTITIES {
            let refused = parse_member(word, RESERVED_ENTITIES);
            assert_eq!(refused, Err(MemberIdError::Reserved(RESERVED_ENTITIES)), "{word}");
        }
        for good in ["Nearby", "nearby-1", "position"] {
            assert!(parse_member(good, RESERVED_ENTITIES).is_ok(), "{good}");
        }
        let text = MemberIdError::Reserved(RESERVED_ENTITIES).to_string();
        assert!(text.starts_with("nearby, within, "), "{text}");
    }

    #[test]
    fn names_of_other_systems_are_any_text_without_control_characters() {
        for good in [
            "auth0|5f7c",
            "a+b@x.com",
            "a/b",
            "{a}",
            "é ü",
            "%2F",
            " ",
            "*",
            &"x".repeat(256),
        ] {
            let name = ExternalId::parse(good).unwrap();
            assert_eq!(ExternalId::decode(&name.encoded()), Some(name.clone()), "{good}");
            assert!(
                name.encoded()
                    .bytes()
                    .all(|byte| byte == b'%' || ALLOWED[usize::from(byte)])
            );
        }
        assert_eq!(ExternalId::parse("rider-7").unwrap().encoded(), "rider-7");
        for (bad, error) in [
            ("", ExternalIdError::Empty),
            ("..", ExternalIdError::DotSegment),
            ("a\nb", ExternalIdError::Control),
            ("a\0", ExternalIdError::Control),
            (&"é".repeat(129), ExternalIdError::TooLong),
        ] {
            assert_eq!(ExternalId::parse(bad), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn a_text_is_decoded_once_and_whole() {
        assert_eq!(percent_decoded("a%2Fb%20c+d%25%2541").as_deref(), Some("a/b c+d%%41"));
        assert_eq!(percent_decoded("%C3%BC").as_deref(), Some("ü"));
        for bad in ["%", "%2", "%zz", "%+1", "%FF", "a%é1"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
    }
}
