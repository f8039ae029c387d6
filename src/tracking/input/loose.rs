use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Any JSON value, borrowed if possible. Its type is checked later, so that one field of a wrong type is an error of
/// that field and not of the whole body.
///
/// Its depth is bounded by the parser's own recursion limit of 128.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loose<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A number as it was written; among the members of [`Attributes`] only.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// Read to its end, not kept.
    Array,
    /// The members are kept of [`Attributes`] only. The members of other objects are not needed, and a body that consists of members only would
    /// take many times its size.
    Object(Vec<(Cow<'a, str>, Self)>),
    /// JSON that the parser cannot represent: a number beyond any double, half of a surrogate pair, nesting that is too deep. Does not
    /// occur in a body that was read in one pass.
    Unreadable,
}

/// Attributes that are kept; more than a profile may have.
const MOST_MEMBERS: usize = 64;

impl Loose<'_> {
    /// The type's name for an error message.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array => "an array",
            Self::Object(_) => "an object",
            Self::Unreadable => "a value beyond what can be read",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Loose::Int(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond i64 no field is valid, whatever the last digits"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Loose::Float(value as f64), Loose::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Loose::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Loose<'de>>()?.is_some() {}
        Ok(Loose::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<Text<'de>, Loose<'de>>()?.is_some() {}
        Ok(Loose::Object(Vec::new()))
    }
}

/// Reads the attributes of a profile: as [`Loose`], but the numbers among their values as they were written.
pub(super) struct Attributes;

impl<'de> DeserializeSeed<'de> for Attributes {
    type Value = Loose<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Ok(serde_json::from_str(raw.get()).unwrap_or(Loose::Unreadable));
        }
        let members = serde_json::from_str::<RawMembers<'de>>(raw.get());
        let members = members.map(|RawMembers(members)| members.into_iter().map(|(name, raw)| (name, value_of(raw))));
        Ok(members.map_or(Loose::Unreadable, |members| Loose::Object(members.collect())))
    }
}

fn value_of(raw: &RawValue) -> Loose<'_> {
    let text = raw.get();
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Loose::Number(text);
    }
    serde_json::from_str(text).unwrap_or(Loose::Unreadable)
}

/// The first members of an object.
struct RawMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = RawMembers<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &RawValue>()? {
                    // Enough to see that there are too many.
                    if members.len() <= MOST_MEMBERS {
                        members.push((name, value));
                    }
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A string, borrowed unless it has escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an integer beyond 2^53 is out of every field's range"
)]
pub(super) fn number(value: &Loose<'_>) -> Option<f64> {
    match value {
        Loose::Int(value) => Some(*value as f64),
        Loose::Float(value) => Some(*value),
        _ => None,
    }
}

/// Returns the number of a value, also of a number in quotes: templates of tracking apps produce these.
pub(super) fn numeric(value: &Loose<'_>) -> Option<f64> {
    match value {
        Loose::Text(text) => number(&quoted(text)?),
        other => number(other),
    }
}

/// Parses a text that is a JSON number and nothing else; not `NaN`, which Rust would accept.
pub(super) fn quoted(text: &str) -> Option<Loose<'_>> {
    let text = text.trim_ascii();
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    is_number.then(|| serde_json::from_str(text).ok()).flatten()
}
