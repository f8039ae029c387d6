//! Takes an object or an array apart into its members or elements as the client wrote them. Only a bounded number is kept, so a body
//! takes no more memory than its bytes, whatever it contains.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The most members of an object that are read; more than any object of ours has.
pub(super) const MAX_MEMBERS: usize = 64;

/// The members of an object.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    /// The first members, each name once.
    pub kept: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The first members that were given again.
    pub repeated: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether there are more members than are read.
    pub too_many: bool,
}

impl<'a> Members<'a> {
    /// Returns the members of an object; `None` for another value.
    ///
    /// # Errors
    /// The parser's error for a name that is not text.
    pub fn of(value: &'a RawValue) -> serde_json::Result<Option<Self>> {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        serde_json::from_str(value.get()).map(Some)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while members.kept.len() + members.repeated.len() < MAX_MEMBERS {
            let Some((Name(name), value)) = map.next_entry()? else {
                return Ok(members);
            };
            if members.kept.iter().any(|(other, _)| *other == name) {
                members.repeated.push((name, value));
            } else {
                members.kept.push((name, value));
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members.too_many = true;
        }
        Ok(members)
    }
}

/// A name, borrowed if nothing in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// Returns the elements of an array; `None` if there are more than `most`.
///
/// # Errors
/// The parser's error for a value that is not an array.
pub(super) fn elements(array: &RawValue, most: usize) -> serde_json::Result<Option<Vec<&RawValue>>> {
    let mut parser = serde_json::Deserializer::from_str(array.get());
    Elements(most).deserialize(&mut parser)
}

struct Elements(usize);

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = Option<Vec<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            if elements.len() == self.0 {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            elements.push(element);
        }
        Ok(Some(elements))
    }
}
