use super::{FieldError, Problem, names, timestamp};
use crate::ids::{ExternalId, Id};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::RangeInclusive;

/// The most faults that are collected.
pub const MAX_FAULTS: usize = 20;

/// Reads the members of a JSON object one by one. All faults are collected, so that a client sees them all at once. `null` counts as
/// not given.
///
/// The names that a reader requests are the known ones; a member that is left at the end is refused. So a reader has to request all names
/// even after a fault.
///
/// For bodies that are rare or small. Fixes arrive in large numbers and have a parser of their own.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    /// The names that were requested.
    known: Vec<&'static str>,
    /// Where the object is in the body: empty, or a path with a trailing slash.
    path: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Parses a body, which has to be a JSON object.
    ///
    /// # Errors
    /// 400 if it is not JSON; 422 if it is not an object, has a member twice (at any depth), or has a member of the name that
    /// `serde_json` reserves.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let Plain(value) = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                Problem::validation_failed(vec![FieldError::new("", error.to_string())])
            } else {
                Problem::malformed(format!("the body is not JSON: {error}"))
            }
        })?;
        match value {
            Value::Object(members) => Ok(Self::new(members, String::new(), Vec::new())),
            _ => Err(Problem::validation_failed(vec![FieldError::new(
                "",
                "must be an object",
            )])),
        }
    }

    /// Parses a body that may be omitted.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_optional(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            Ok(Self::new(Map::new(), String::new(), Vec::new()))
        } else {
            Self::parse(body)
        }
    }

    /// Creates a reader of the members of an object that are left after the `known` ones were taken. `path` is the object's path in the
    /// body: empty, or with a trailing slash.
    pub(super) const fn new(members: Map<String, Value>, path: String, known: Vec<&'static str>) -> Self {
        Self {
            members,
            known,
            path,
            errors: Vec::new(),
        }
    }

    /// Removes and returns a member of any type; `null` counts as a value.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.members.remove(name)
    }

    /// Marks members as known without reading them, because their meaning depends on a member that is wrong.
    pub fn pass_over(&mut self, names: &[&'static str]) {
        for name in names {
            self.value(name);
        }
    }

    /// Returns a whole number within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.given(name)?;
        match value.as_i64() {
            Some(number) if range.contains(&number) => Some(number),
            _ if value.is_i64() || value.is_u64() => {
                self.refuse(name, format!("must be {} to {}", range.start(), range.end()));
                None
            }
            _ => {
                self.refuse(name, "must be a whole number");
                None
            }
        }
    }

    /// Returns a text of at most `longest` bytes.
    pub fn text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        match self.given(name)? {
            Value::String(text) if text.len() <= longest => Some(text),
            Value::String(_) => {
                self.refuse(name, format!("must have at most {longest} bytes"));
                None
            }
            _ => {
                self.refuse(name, "must be a string");
                None
            }
        }
    }

    /// Returns an [`Id`].
    pub fn id(&mut self, name: &'static str) -> Option<Id> {
        let text = self.text(name, usize::MAX)?;
        Id::parse(&text)
            .map_err(|error| self.refuse(name, error.to_string()))
            .ok()
    }

    /// Returns an [`ExternalId`].
    pub fn external_id(&mut self, name: &'static str) -> Option<ExternalId> {
        let text = self.text(name, usize::MAX)?;
        ExternalId::parse(&text)
            .map_err(|error| self.refuse(name, error.to_string()))
            .ok()
    }

    /// Returns a time as Unix milliseconds: RFC 3339, or a number of milliseconds (of seconds if it can only be that).
    pub fn time(&mut self, name: &'static str) -> Option<i64> {
        let time = match self.given(name)? {
            Value::String(text) => timestamp::parse_rfc3339(&text),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => timestamp::from_number(whole),
                None => number.as_f64().and_then(timestamp::from_float),
            },
            _ => None,
        };
        if time.is_none() {
            self.refuse(name, "must be a time: RFC 3339, or milliseconds since 1970");
        }
        time
    }

    /// Returns a number within `range`.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let number = self.given(name)?.as_f64().filter(|number| range.contains(number));
        if number.is_none() {
            self.refuse(name, format!("must be {} to {}", range.start(), range.end()));
        }
        number
    }

    /// Returns an array of at most `most` [`Id`]s.
    pub fn ids(&mut self, name: &'static str, most: usize) -> Option<Vec<Id>> {
        let Value::Array(elements) = self.given(name)? else {
            self.refuse(name, "must be an array");
            return None;
        };
        if elements.len() > most {
            self.refuse(name, format!("must have at most {most} elements"));
            return None;
        }
        let mut ids = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            match Id::parse(element.as_str().unwrap_or_default()) {
                Ok(id) => ids.push(id),
                Err(error) => self.refuse(&format!("{name}/{index}"), error.to_string()),
            }
        }
        Some(ids)
    }

    /// Returns a boolean.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let value = self.given(name)?.as_bool();
        if value.is_none() {
            self.refuse(name, "must be true or false");
        }
        value
    }

    /// Returns an array of `count` objects, each read by `read` from its own members.
    pub fn each<T>(
        &mut self,
        name: &'static str,
        count: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(elements) = self.given(name)? else {
            self.refuse(name, "must be an array");
            return None;
        };
        if !count.contains(&elements.len()) {
            self.refuse(name, format!("must have {} to {} elements", count.start(), count.end()));
            return None;
        }
        let mut all = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let Value::Object(members) = element else {
                self.refuse(&format!("{name}/{index}"), "must be an object");
                continue;
            };
            let mut fields = Self::new(members, format!("{}{name}/{index}/", self.path), Vec::new());
            all.extend(read(&mut fields));
            self.errors.append(&mut fields.all_faults());
            if self.has_many_faults() {
                break;
            }
        }
        Some(all)
    }

    /// Adds the fault that a member is not acceptable.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors
            .push(FieldError::new(&format!("{}{name}", self.path), detail));
    }

    /// Adds the faults of a part of the body that was read separately.
    pub fn add(&mut self, mut faults: Vec<FieldError>) {
        self.errors.append(&mut faults);
    }

    /// Returns whether the limit of collected faults is reached: the rest need not be checked.
    #[must_use]
    pub const fn has_many_faults(&self) -> bool {
        self.errors.len() >= MAX_FAULTS
    }

    /// Returns a required member: the result of `read`, or a fault if the member was not given.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> Option<T> {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.value(name);
            self.refuse(name, "is missing");
            return None;
        }
        read(self, name)
    }

    /// Returns `made` if all members were acceptable.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn finish<T>(self, made: Option<T>) -> Result<T, Problem> {
        self.faults(made).map_err(Problem::validation_failed)
    }

    /// Does the same for callers that do not answer with the faults.
    ///
    /// # Errors
    /// Every fault.
    pub fn faults<T>(self, made: Option<T>) -> Result<T, Vec<FieldError>> {
        let faults = self.all_faults();
        match made {
            Some(made) if faults.is_empty() => Ok(made),
            _ => Err(faults),
        }
    }

    /// Returns all faults, including those about unknown members.
    fn all_faults(mut self) -> Vec<FieldError> {
        for name in self.members.keys().take(MAX_FAULTS.saturating_sub(self.errors.len())) {
            self.errors.push(unknown_member(&self.path, name, &self.known));
        }
        self.errors.truncate(MAX_FAULTS);
        self.errors
    }

    fn given(&mut self, name: &'static str) -> Option<Value> {
        self.value(name).filter(|value| !value.is_null())
    }
}

/// Returns the fault for an unknown member. `path` is that of its object: empty, or with a trailing slash.
#[must_use]
pub fn unknown_member(path: &str, name: &str, known: &[&str]) -> FieldError {
    // JSON Pointer escapes these two characters (RFC 6901).
    let pointer = names::shown(name).replace('~', "~0").replace('/', "~1");
    let detail = format!("is unknown: {}", names::hint(name, known));
    FieldError::new(&format!("{path}{pointer}"), detail)
}

/// The name by which `serde_json` tells itself that the text of a member is JSON in the place of the object. Wherever a
/// [`Value`] is read it takes this from a client as well, and reads the text as deep as it goes.
const RESERVED: &str = "$serde_json::private::RawValue";

/// A value as the client wrote it: nothing in it means anything to `serde_json` but what JSON says.
pub(super) struct Plain(pub(super) Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Plain(element)) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Plain(value))) = map.next_entry::<String, _>()? {
            if name == RESERVED {
                return Err(A::Error::custom(format!("no member may be named {RESERVED}")));
            }
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!(
                    "the member `{}` is given twice",
                    names::shown(&name)
                )));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(i64, Option<Id>, Vec<i64>), Problem> {
        let mut fields = Fields::parse(body.as_bytes())?;
        let quantity = fields.required("quantity", |fields, name| fields.integer(name, 1..=10));
        let owner = fields.id("owner");
        let items = fields.each("items", 0..=2, |item| {
            item.required("n", |item, name| item.integer(name, 0..=9))
        });
        fields.finish(quantity.map(|quantity| (quantity, owner, items.unwrap_or_default())))
    }

    #[test]
    fn what_is_acceptable_is_read() {
        let (quantity, owner, items) = read(r#"{"quantity":3,"owner":null,"items":[{"n":1},{"n":2}]}"#).unwrap();
        assert_eq!((quantity, owner, items), (3, None, vec![1, 2]));
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let problem = read(r#"{"quantity":11,"owner":"a b","items":[{"n":"1"},7]}"#).unwrap_err();
        let body = serde_json::to_value(&problem).unwrap();
        let pointers: Vec<_> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["pointer"])
            .collect();
        assert_eq!(pointers, ["/quantity", "/owner", "/items/0/n", "/items/1"]);
        assert!(read("{}").unwrap_err().to_string().contains("/quantity: is missing"));
    }

    #[test]
    fn an_unknown_member_is_refused_with_the_nearest_known_name() {
        let problem = read(r#"{"Quantity":3,"items":[{"n":1,"m":2}],"a/b":{}}"#).unwrap_err();
        let body = serde_json::to_value(&problem).unwrap();
        let expected = serde_json::json!([
            {"pointer": "/quantity", "detail": "is missing"},
            {"pointer": "/items/0/m", "detail": "is unknown: known are `n`"},
            {"pointer": "/Quantity", "detail": "is unknown: did you mean `quantity`?"},
            {"pointer": "/a~1b", "detail": "is unknown: known are `quantity`, `owner`, `items`"},
        ]);
        assert_eq!(body["errors"], expected);
        // An unknown member is refused even if its value is `null`.
        assert!(read(r#"{"quantity":3,"x":null}"#).is_err());
    }

    #[test]
    fn there_is_a_limit_to_the_faults_that_are_collected() {
        let members: Vec<_> = (0..1_000).map(|n| format!(r#""x{n}":{n}"#)).collect();
        let problem = read(&format!("{{{}}}", members.join(","))).unwrap_err();
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(body["errors"].as_array().unwrap().len(), MAX_FAULTS);
    }

    #[test]
    fn a_member_that_is_given_twice_is_refused_at_any_depth() {
        for body in [
            r#"{"quantity":3,"quantity":3}"#,
            r#"{"quantity":3,"items":[{"n":1,"n":2}]}"#,
            r#"{"quantity":3,"owner":{"a":{"b":1,"\u0062":2}}}"#,
        ] {
            let problem = read(body).unwrap_err().to_string();
            assert!(
                problem.starts_with("422") && problem.contains("is given twice"),
                "{problem}"
            );
        }
    }

    #[test]
    fn numbers_beyond_the_range_are_told_from_what_is_none() {
        for out_of_range in ["0", "-1", "9007199254740993", "18446744073709551615"] {
            let problem = read(&format!(r#"{{"quantity":{out_of_range}}}"#)).unwrap_err();
            assert!(problem.to_string().contains("must be 1 to 10"), "{problem}");
        }
        for no_integer in ["1.5", "\"3\"", "true", "[]"] {
            let problem = read(&format!(r#"{{"quantity":{no_integer}}}"#)).unwrap_err();
            assert!(problem.to_string().contains("must be a whole number"), "{problem}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        assert!(read("[1]").unwrap_err().to_string().starts_with("422"));
        assert!(read("{").unwrap_err().to_string().starts_with("400"));
        assert!(read(&"[".repeat(10_000)).unwrap_err().to_string().starts_with("400"));
    }

    #[test]
    fn a_body_is_read_as_serde_json_reads_it() {
        for body in [
            r#"{"a":[1,-2,3.5,1e300,18446744073709551615,-9223372036854775808,0.1,-0.0],"b":{"c":null,"d":"\u00e9\n"}}"#,
            r#"{"a":true,"":{},"x":[[],{}]}"#,
        ] {
            let expected: Value = serde_json::from_str(body).unwrap();
            let fields = Fields::parse(body.as_bytes()).unwrap();
            assert_eq!(Value::Object(fields.members), expected);
        }
        for body in [
            "",
            "{\"a\":}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "{} {}",
            "{\"a\":nul}",
        ] {
            assert!(serde_json::from_str::<Value>(body).is_err());
            let problem = Fields::parse(body.as_bytes()).unwrap_err();
            assert!(problem.to_string().starts_with("400"), "{body}: {problem}");
        }
    }

    #[test]
    fn the_name_that_serde_json_keeps_for_itself_is_refused_wherever_it_is() {
        // As it is, and in other letters for the same.
        for name in [
            RESERVED,
            r"\u0024serde_json::private::RawValue",
            r"$serde_json::privat\u0065::RawValue",
        ] {
            for body in [
                format!(r#"{{"{name}":"{{}}"}}"#),
                format!(r#"{{"data":{{"{name}":"{{\"a\":1}}"}}}}"#),
                format!(r#"{{"data":[1,{{"a":1,"{name}":"[]"}}]}}"#),
            ] {
                let problem = Fields::parse(body.as_bytes()).unwrap_err();
                assert!(problem.to_string().starts_with("422"), "{body}: {problem}");
            }
            // As a value it is nothing but a text.
            assert!(Fields::parse(format!(r#"{{"data":"{name}"}}"#).as_bytes()).is_ok());
        }
    }
}
