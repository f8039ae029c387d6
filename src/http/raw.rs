use super::fields::{Fields, Plain};
use super::{FieldError, Problem, names};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Map;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of a JSON object as the client wrote them; for bodies of which a part is handed on as it is.
#[derive(Debug)]
pub struct RawObject<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The names that were requested.
    known: Vec<&'static str>,
    /// Where the object is in the body: empty, or a path with a trailing slash.
    path: String,
}

impl<'a> RawObject<'a> {
    /// Reads the object at `path` of the body (empty for the body itself, without slashes around it).
    ///
    /// # Errors
    /// A fault if it is not an object, has a member twice, or has more members than any object of ours.
    pub fn read(value: &'a RawValue, path: &str) -> Result<Self, FieldError> {
        let Members { members, rest } =
            serde_json::from_str(value.get()).map_err(|_other| FieldError::new(path, "must be an object"))?;
        if rest > 0 {
            return Err(FieldError::new(
                path,
                format!("must have at most {MAX_MEMBERS} members"),
            ));
        }
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        for (index, (name, _)) in members.iter().enumerate() {
            if members[..index].iter().any(|(other, _)| other == name) {
                let pointer = format!("{path}{}", names::shown(name));
                return Err(FieldError::new(&pointer, "is given twice"));
            }
        }
        let known = Vec::new();
        Ok(Self { members, known, path })
    }

    /// Removes and returns a member. `null` counts as not given.
    pub fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.value(name).filter(|value| value.get() != "null")
    }

    /// Removes and returns a member, including `null`.
    pub fn value(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let at = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(at).1)
    }

    /// Returns the path of a member.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Returns the remaining members, to be read one by one.
    ///
    /// # Errors
    /// 422 if a member is nested too deeply, has a member twice, or has a member of the name that `serde_json` reserves.
    pub fn into_fields(self) -> Result<Fields, FieldError> {
        self.read_rest().map_err(|(fault, _)| fault)
    }

    /// Does the same for the members of the whole body.
    ///
    /// # Errors
    /// 422 as [`Self::into_fields`]; 400 for values that the parser cannot represent, as in [`Fields::parse`].
    pub fn into_members(self) -> Result<Fields, Problem> {
        self.read_rest().map_err(|(fault, is_data)| {
            if is_data {
                Problem::validation_failed(vec![fault])
            } else {
                Problem::malformed(format!("the body is not JSON: {fault}"))
            }
        })
    }

    /// A fault comes with whether it is one of what was sent, not of its form.
    fn read_rest(self) -> Result<Fields, (FieldError, bool)> {
        let mut members = Map::new();
        for (name, value) in self.members {
            let Plain(value) = serde_json::from_str(value.get()).map_err(|error: serde_json::Error| {
                let fault = FieldError::new(&format!("{}{name}", self.path), error.to_string());
                (fault, error.is_data())
            })?;
            members.insert(name.into_owned(), value);
        }
        Ok(Fields::new(members, self.path, self.known))
    }
}

/// A body as it was written.
///
/// # Errors
/// 400 if it is not JSON.
pub fn raw(body: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))
}

/// Returns the elements of an array; `None` if it is not an array.
#[must_use]
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The most members of an object that are read; more than any object of ours has.
const MAX_MEMBERS: usize = 64;

struct Members<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The number of members beyond the limit.
    rest: usize,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let (mut members, mut rest) = (Vec::new(), 0);
                while let Some((Name(name), value)) = map.next_entry()? {
                    if members.len() < MAX_MEMBERS {
                        members.push((name, value));
                    } else {
                        rest += 1;
                    }
                }
                Ok(Members { members, rest })
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
        let body = br#"{"n": 7, "payload": {"b" : 1, "a":[1.0, 1e400]}, "na\u006de": "x", "no": null}"#;
        let mut object = RawObject::read(raw(body).unwrap(), "3").unwrap();
        let payload = object.take("payload").unwrap();
        assert_eq!(payload.get(), r#"{"b" : 1, "a":[1.0, 1e400]}"#);
        assert!(object.take("no").is_none() && object.take("payload").is_none());
        let mut nothing = RawObject::read(raw(b"{\"no\": null}").unwrap(), "").unwrap();
        assert_eq!(nothing.value("no").map(RawValue::get), Some("null"));
        let mut fields = object.into_fields().unwrap();
        assert_eq!(
            (fields.integer("n", 0..=9), fields.text("name", 9)),
            (Some(7), Some("x".to_owned()))
        );
        fields.refuse("n", "is odd");
        assert_eq!(fields.faults(Some(())).unwrap_err()[0].pointer, "/3/n");
    }

    #[test]
    fn what_is_unknown_or_given_twice_is_refused() {
        let mut object = RawObject::read(raw(br#"{"payload": {}, "Name": 1}"#).unwrap(), "3").unwrap();
        object.take("payload");
        let mut fields = object.into_fields().unwrap();
        fields.text("name", 9);
        let faults = fields.faults(Some(())).unwrap_err();
        assert_eq!(faults, [FieldError::new("3/Name", "is unknown: did you mean `name`?")]);
        let twice = RawObject::read(raw(br#"{"a": 1, "b": 2, "\u0061": 1}"#).unwrap(), "3").unwrap_err();
        assert_eq!(twice, FieldError::new("3/a", "is given twice"));
        let members: Vec<_> = (0..100_000).map(|n| format!(r#""x{n}":{n}"#)).collect();
        let many = format!("{{{}}}", members.join(","));
        let many = RawObject::read(raw(many.as_bytes()).unwrap(), "").unwrap_err();
        assert_eq!(many, FieldError::new("", "must have at most 64 members"));
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
