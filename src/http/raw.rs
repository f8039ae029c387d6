use super::fields::{Fields, Plain};
use super::{FieldError, Problem};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Map;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of a JSON object as the client wrote them; for bodies of which a part is handed on as it is.
#[derive(Debug)]
pub struct RawObject<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Where the object is in the body: empty, or a path with a trailing slash.
    path: String,
}

impl<'a> RawObject<'a> {
    /// Reads the object at `path` of the body (empty for the body itself, without slashes around it).
    ///
    /// # Errors
    /// What is wrong with it, if it is no object.
    pub fn read(value: &'a RawValue, path: &str) -> Result<Self, FieldError> {
        let Members(members) =
            serde_json::from_str(value.get()).map_err(|_other| FieldError::new(path, "must be an object"))?;
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        Ok(Self { members, path })
    }

    /// Takes a member out; of one that is given twice the last. `null` counts as not given.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.value(name).filter(|value| value.get() != "null")
    }

    /// The same, whatever it is; `null` too.
    pub fn value(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut taken = None;
        self.members.retain(|(member, value)| {
            let is_it = member == name;
            if is_it {
                taken = Some(*value);
            }
            !is_it
        });
        taken
    }

    /// The path of a member.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// The members that are left, to be read one by one.
    ///
    /// # Errors
    /// 422 if one is nested too deeply, or has a member of the name that `serde_json` keeps for itself.
    pub fn into_fields(self) -> Result<Fields, FieldError> {
        let mut members = Map::new();
        for (name, value) in self.members {
            let Plain(value) = serde_json::from_str(value.get())
                .map_err(|error| FieldError::new(&format!("{}{name}", self.path), error.to_string()))?;
            members.insert(name.into_owned(), value);
        }
        Ok(Fields::new(members, self.path))
    }
}

/// A body as it was written.
///
/// # Errors
/// 400 if it is not JSON.
pub fn raw(body: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::malformed(format!("not JSON: {error}")))
}

/// The elements of an array; `None` if it is none.
#[must_use]
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_as_it_was_written_and_the_rest_is_read() {
        let body = br#"{"n": 7, "payload": {"b" : 1, "a":[1.0, 1e400]}, "na\u006de": "x", "n": 8, "no": null}"#;
        let mut object = RawObject::read(raw(body).unwrap(), "3").unwrap();
        let payload = object.take("payload").unwrap();
        assert_eq!(payload.get(), r#"{"b" : 1, "a":[1.0, 1e400]}"#);
        assert!(object.take("no").is_none() && object.take("payload").is_none());
        let mut nothing = RawObject::read(raw(b"{\"no\": null}").unwrap(), "").unwrap();
        assert_eq!(nothing.value("no").map(RawValue::get), Some("null"));
        let mut fields = object.into_fields().unwrap();
        assert_eq!(
            (fields.integer("n", 0..=9), fields.text("name", 9)),
            (Some(8), Some("x".to_owned()))
        );
        fields.refuse("n", "is odd");
        assert_eq!(fields.faults(Some(())).unwrap_err()[0].pointer, "/3/n");
    }

    #[test]
    fn what_is_no_object_is_told_by_where_it_is() {
        for other in ["7", "[]", "null", "\"x\""] {
            let error = RawObject::read(raw(other.as_bytes()).unwrap(), "jobs/2").unwrap_err();
            assert_eq!(error.pointer, "/jobs/2", "{other}");
        }
        assert!(raw(b"{").is_err() && raw(b"\xff").is_err() && raw(b"").is_err());
        assert_eq!(elements(raw(b"[1, {}]").unwrap()).unwrap().len(), 2);
        assert!(elements(raw(b"{}").unwrap()).is_none());
    }
}
