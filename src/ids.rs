//! The two forms of names that clients choose: [`Id`] for what is ours (entity, SKU, queue, room, lock), [`ExternalId`] for what other
//! systems have named (subject, limit key, idempotency key, owner).

use compact_str::CompactString;
use serde::{Serialize, Serializer};
use std::fmt::{self, Write};
use std::ops::Deref;
use utoipa::ToSchema;

pub use fleetpulse_index::{Id, IdError};

/// Reserved words of the paths under `/v1/{kind}`: an entity with such an id could be written in a batch but not be read by its path.
pub const RESERVED_ENTITIES: &[&str] = &["nearby", "within", "positions", "stream", "density"];

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
            if Id::allows(byte) {
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

/// Decodes percent-encoded text; `None` if it is malformed or not UTF-8.
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
    fn from(id: Id) -> Self {
        Self(id.into())
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
            assert!(name.encoded().bytes().all(|byte| byte == b'%' || Id::allows(byte)));
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
