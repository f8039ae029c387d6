//! JSON objects as clients sent them: numbers keep their digits, texts their escapes, members their order. Only the spaces
//! between them are lost.
//!
//! `serde_json::Value` holds numbers as 64-bit integers or doubles, so `18446744073709551616` and `1.10` do not survive it.
//! JSON that is returned as it was sent uses these types instead.

use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// `serde_json` uses this name internally; a member of a client with it would be parsed as raw JSON, so it is refused.
pub(crate) const RESERVED: &str = "$serde_json::private::RawValue";
/// How much of a name an error repeats, in characters.
const SHOWN: usize = 40;

/// Why JSON is not taken although it is well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not an object.
    #[error("must be an object")]
    NoObject,
    /// Nested deeper than the caller allows.
    #[error("is nested too deeply")]
    TooDeep,
    /// An object has two members of one name.
    #[error("the member `{0}` is given twice")]
    Twice(String),
    /// A text with half of a surrogate pair.
    #[error("a text has half of a surrogate pair")]
    NoText,
    /// A member has the name that `serde_json` reserves.
    #[error("no member may be named {RESERVED}")]
    Reserved,
}

/// An object, with everything in it as it was written.
#[derive(Debug, Clone, Default)]
pub struct Object<'a>(Vec<Member<'a>>);

#[derive(Debug, Clone)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// The name in quotes, as it was written.
    written: &'a str,
    value: Node<'a>,
}

#[derive(Debug, Clone)]
enum Node<'a> {
    /// A number, a text, `true`, `false` or `null`, as it was written.
    Scalar(&'a str),
    Array(Vec<Self>),
    Object(Object<'a>),
}

impl<'a> Object<'a> {
    /// Reads an object that is nested at most `levels` deep, itself included. In time that is linear in its length.
    ///
    /// # Errors
    /// [`JsonFault`].
    pub fn read(raw: &'a RawValue, levels: usize) -> Result<Self, JsonFault> {
        let mut reader = Reader { text: raw.get(), at: 0 };
        match reader.value(levels)? {
            Node::Object(object) => Ok(object),
            _ => Err(JsonFault::NoObject),
        }
    }

    /// Applies a JSON merge patch (RFC 7396): `null` removes a member, an object is merged into what is there, all else replaces.
    pub fn merge(&mut self, patch: Self) {
        let places: HashMap<Cow<'a, str>, usize> = (self.0.iter().enumerate())
            .map(|(place, member)| (member.name.clone(), place))
            .collect();
        let mut removed = HashSet::new();
        for change in patch.0 {
            let Member { name, written, value } = change;
            match (places.get(&name), value) {
                (Some(_), Node::Scalar("null")) => drop(removed.insert(name)),
                (None, Node::Scalar("null")) => {}
                (Some(&place), value) => self.0[place].value.become_merged(value),
                (None, value) => {
                    let mut merged = Node::Scalar("null");
                    merged.become_merged(value);
                    self.0.push(Member {
                        name,
                        written,
                        value: merged,
                    });
                }
            }
        }
        self.0.retain(|member| !removed.contains(&member.name));
    }
}

impl Node<'_> {
    fn become_merged(&mut self, patch: Self) {
        match (self, patch) {
            (Self::Object(there), Node::Object(patch)) => there.merge(patch),
            (there, Node::Object(patch)) => {
                let mut object = Object::default();
                object.merge(patch);
                *there = Self::Object(object);
            }
            (there, value) => *there = value,
        }
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, member) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", member.written, member.value)?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(text) => f.write_str(text),
            Self::Object(object) => object.fmt(f),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{element}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Reads text that is known to be JSON, so it need not look for faults of form.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, levels: usize) -> Result<Node<'a>, JsonFault> {
        match self.next_byte() {
            b'{' => {
                let levels = levels.checked_sub(1).ok_or(JsonFault::TooDeep)?;
                self.object(levels).map(Node::Object)
            }
            b'[' => {
                let levels = levels.checked_sub(1).ok_or(JsonFault::TooDeep)?;
                self.at += 1;
                let mut elements = Vec::new();
                while self.has_next(b']') {
                    elements.push(self.value(levels)?);
                }
                Ok(Node::Array(elements))
            }
            b'"' => {
                let written = self.string();
                text_of(written)?;
                Ok(Node::Scalar(written))
            }
            _ => {
                let rest = &self.text[self.at..];
                let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace();
                let scalar = &rest[..rest.find(ends).unwrap_or(rest.len())];
                self.at += scalar.len();
                Ok(Node::Scalar(scalar))
            }
        }
    }

    fn object(&mut self, levels: usize) -> Result<Object<'a>, JsonFault> {
        self.at += 1;
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut names = HashSet::new();
        while self.has_next(b'}') {
            let written = self.string();
            let name = text_of(written)?;
            if name == RESERVED {
                return Err(JsonFault::Reserved);
            }
            if !names.insert(name.clone()) {
                let shown = name.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
                return Err(JsonFault::Twice(shown));
            }
            self.next_byte();
            // The colon.
            self.at += 1;
            let value = self.value(levels)?;
            members.push(Member { name, written, value });
        }
        Ok(Object(members))
    }

    /// Moves to the next byte that is no space and returns it; 0 at the end.
    fn next_byte(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += spaces;
        rest.get(spaces).copied().unwrap_or(0)
    }

    /// Moves behind a comma or behind the end of an array or object. Returns whether there is another element.
    fn has_next(&mut self, end: u8) -> bool {
        let mut byte = self.next_byte();
        if byte == b',' {
            self.at += 1;
            byte = self.next_byte();
        }
        if byte == end {
            self.at += 1;
        }
        byte != end && byte != 0
    }

    /// A string with its quotes.
    fn string(&mut self) -> &'a str {
        let from = self.at;
        let bytes = self.text.as_bytes();
        let mut at = from + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.at = (at + 1).min(self.text.len());
        &self.text[from..self.at]
    }
}

/// Returns the text of a JSON string.
fn text_of(written: &str) -> Result<Cow<'_, str>, JsonFault> {
    if written.contains('\\') {
        return serde_json::from_str(written)
            .map(Cow::Owned)
            .map_err(|_unspecific| JsonFault::NoText);
    }
    Ok(Cow::Borrowed(written.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::Value;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    fn merged(target: &str, patch: &str) -> String {
        let mut object = Object::read(raw(target), 64).unwrap();
        object.merge(Object::read(raw(patch), 64).unwrap());
        object.to_string()
    }

    #[test]
    fn all_but_spaces_is_kept() {
        let text = " { \"z\" : [ 18446744073709551616 , 1.10, -0.0, 1E5, 1e400 ],\n\"a\\u0062\":\"\\u00e9 \\\" }\",\t\"\":{ },\"n\":[ ],\"t\":true, \"x\":null }";
        let expected = r#"{"z":[18446744073709551616,1.10,-0.0,1E5,1e400],"a\u0062":"\u00e9 \" }","":{},"n":[],"t":true,"x":null}"#;
        assert_eq!(Object::read(raw(text), 2).unwrap().to_string(), expected);
        assert_eq!(Object::read(raw(expected), 2).unwrap().to_string(), expected);
    }

    fn any_object() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::String),
        ];
        let tree = scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::Array),
                btree_map(any::<String>(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
            ]
        });
        btree_map(any::<String>(), tree, 0..4).prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn any_object_is_kept_and_replaces_itself(object in any_object()) {
            let pretty = serde_json::to_string_pretty(&object).unwrap();
            let mut read = Object::read(raw(&pretty), 8).unwrap();
            prop_assert_eq!(read.to_string(), object.to_string());
            // A patch with the same members changes nothing but nulls.
            read.merge(Object::read(raw(&pretty), 8).unwrap());
            prop_assert!(serde_json::from_str::<Value>(&read.to_string()).is_ok());
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_refused() {
        for (text, fault) in [
            ("[]", JsonFault::NoObject),
            (r#""{}""#, JsonFault::NoObject),
            (r#"{"a":{"b":[]}}"#, JsonFault::TooDeep),
            (r#"{"a":1,"\u0061":2}"#, JsonFault::Twice("a".to_owned())),
            (r#"{"a":"\ud800"}"#, JsonFault::NoText),
            (r#"{"\ud800":1}"#, JsonFault::NoText),
            (r#"{"$serde_json::private::RawValue":"{"}"#, JsonFault::Reserved),
        ] {
            assert_eq!(Object::read(raw(text), 2).unwrap_err(), fault, "{text}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(100_000), "[".repeat(100_000));
        let deep = format!("{deep}{}{}", "]".repeat(100_000), "}".repeat(100_000));
        assert_eq!(Object::read(raw(&deep), 32).unwrap_err(), JsonFault::TooDeep);
    }

    #[test]
    fn the_examples_of_the_standard() {
        // Those of its appendix A whose target and patch are objects.
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(target, patch), result, "{target} and {patch}");
        }
        assert_eq!(
            merged(r#"{"\u0061":1.0,"b":2}"#, r#"{"a":1.00}"#),
            r#"{"\u0061":1.00,"b":2}"#
        );
    }
}
