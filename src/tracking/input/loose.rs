use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Any JSON value, borrowed where it can be. Its type is judged later, so that one field of a wrong type is an error of
/// that field and not of the whole body.
///
/// Its depth is bounded by the parser's own recursion limit of 128.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loose<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// An array of strings only; the one kind of array that any member of ours may be.
    Words(Vec<Cow<'a, str>>),
    /// Any other array; read to its end, not kept.
    Array,
    Object(Vec<(Cow<'a, str>, Self)>),
    /// JSON that the parser cannot represent: a number beyond any double, half of a surrogate pair, nesting that is too deep. Does not
    /// occur in a body that was read in one pass.
    Unreadable,
}

/// Members of an object that are kept; more than any object of ours may have.
const MOST_MEMBERS: usize = 64;

impl Loose<'_> {
    /// The type's name for an error message.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Words(_) | Self::Array => "an array",
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
        let mut words = Some(Vec::new());
        while let Some(element) = seq.next_element::<Loose<'de>>()? {
            match (element, &mut words) {
                (Loose::Text(word), Some(words)) => words.push(word),
                _ => words = None,
            }
        }
        Ok(words.map_or(Loose::Array, Loose::Words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let value = map.next_value()?;
            // Enough to see that there are too many; a body of nothing but members takes no memory for the rest.
            if members.len() <= MOST_MEMBERS {
                members.push((name, value));
            }
        }
        Ok(Loose::Object(members))
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
