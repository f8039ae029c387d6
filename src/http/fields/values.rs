//! Members by their types. What is not acceptable is recorded as a fault and read as absent.

use super::faults::Faults;
use super::members::elements;
use super::tree::Tree;
use super::{Fields, Scalar};
use crate::http::{FieldError, timestamp};
use crate::ids::{ExternalId, Id};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

impl<'a> Fields<'a> {
    /// Returns a member whose type decides what it means.
    pub fn scalar(&mut self, name: &'static str) -> Option<Scalar<'a>> {
        let value = self.take(name)?;
        self.read(name, value)
    }

    fn read(&mut self, name: &str, value: &'a RawValue) -> Option<Scalar<'a>> {
        Scalar::of(value)
            .map_err(|error| self.faults.unreadable(&format!("{}{name}", self.path), &error))
            .ok()
    }

    /// Returns a whole number within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let fault = match self.scalar(name)? {
            Scalar::Number(number) if number.is_i64() || number.is_u64() => {
                match number.as_i64().filter(|number| range.contains(number)) {
                    Some(number) => return Some(number),
                    None => format!("must be {} to {}", range.start(), range.end()),
                }
            }
            _ => "must be a whole number".to_owned(),
        };
        self.refuse(name, fault);
        None
    }

    /// Returns a number within `range`.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        if let Scalar::Number(number) = self.scalar(name)?
            && let Some(number) = number.as_f64().filter(|number| range.contains(number))
        {
            return Some(number);
        }
        self.refuse(name, format!("must be {} to {}", range.start(), range.end()));
        None
    }

    /// Returns a boolean.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        if let Scalar::Bool(value) = self.scalar(name)? {
            return Some(value);
        }
        self.refuse(name, "must be true or false");
        None
    }

    /// Returns a text of at most `longest` bytes.
    pub fn text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let fault = match self.scalar(name)? {
            Scalar::Text(text) if text.len() <= longest => return Some(text.into_owned()),
            Scalar::Text(_) => format!("must have at most {longest} bytes"),
            _ => "must be a string".to_owned(),
        };
        self.refuse(name, fault);
        None
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
        let time = match self.scalar(name)? {
            Scalar::Text(text) => timestamp::parse_rfc3339(&text),
            Scalar::Number(number) => match number.as_i64() {
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

    /// Returns an array of at most `most` [`Id`]s.
    pub fn ids(&mut self, name: &'static str, most: usize) -> Option<Vec<Id>> {
        self.strings(name, most, |text| Id::parse(text).map_err(|error| error.to_string()))
    }

    /// Returns an array of at most `most` texts, whose lengths in bytes are within `length`.
    pub fn texts(&mut self, name: &'static str, most: usize, length: RangeInclusive<usize>) -> Option<Vec<String>> {
        self.strings(name, most, |text| {
            let fits = length.contains(&text.len());
            let fault = || format!("must be a string of {} to {} bytes", length.start(), length.end());
            fits.then(|| text.to_owned()).ok_or_else(fault)
        })
    }

    /// Returns an array of at most `most` texts; a text alone counts as an array of one.
    pub fn text_or_texts(&mut self, name: &'static str, most: usize) -> Option<Vec<String>> {
        let value = self.take(name)?;
        let texts = match self.read(name, value)? {
            Scalar::Text(text) => Some(vec![text.into_owned()]),
            Scalar::Array => {
                let text = |element: &RawValue| serde_json::from_str(element.get()).ok();
                let elements = elements(value, most).ok().flatten();
                elements.and_then(|elements| elements.into_iter().map(text).collect())
            }
            _ => None,
        };
        if texts.is_none() {
            self.refuse(name, format!("must be a string or an array of at most {most} strings"));
        }
        texts
    }

    /// Returns an array of strings as `parse` makes them. It has to refuse an empty one, which stands for another type as well.
    fn strings<T>(
        &mut self,
        name: &'static str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let array = self.take(name)?;
        let path = format!("{}{name}", self.path);
        let elements = read_elements(array, &path, 0..=most, &mut self.faults)?;
        let mut strings = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let at = format!("{path}/{index}");
            let text = match Scalar::of(element) {
                Ok(Scalar::Text(text)) => text,
                Ok(_) => "".into(),
                Err(error) => {
                    self.faults.unreadable(&at, &error);
                    break;
                }
            };
            match parse(&text) {
                Ok(string) => strings.push(string),
                Err(detail) => self.faults.errors.push(FieldError::new(&at, detail)),
            }
        }
        Some(strings)
    }

    /// Returns an object with members of any names. All of it is kept in memory, so only small bodies may have one.
    pub fn map(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        let value = self.take(name)?;
        match serde_json::from_str(value.get()) {
            Ok(Tree(Value::Object(members))) => return Some(members),
            Ok(Tree(_)) => self.refuse(name, "must be an object"),
            Err(error) if error.is_data() => self.refuse(name, error.to_string()),
            Err(error) => self.faults.unreadable(&format!("{}{name}", self.path), &error),
        }
        None
    }
}

/// Returns the elements of the array at `path`.
pub(super) fn read_elements<'a>(
    array: &'a RawValue,
    path: &str,
    count: RangeInclusive<usize>,
    faults: &mut Faults,
) -> Option<Vec<&'a RawValue>> {
    let detail = match elements(array, *count.end()) {
        Ok(Some(elements)) if count.contains(&elements.len()) => return Some(elements),
        Ok(_) if *count.start() == 0 => format!("must have at most {} elements", count.end()),
        Ok(_) => format!("must have {} to {} elements", count.start(), count.end()),
        Err(_) => match Scalar::of(array) {
            Ok(_) => "must be an array".to_owned(),
            Err(error) => {
                faults.unreadable(path, &error);
                return None;
            }
        },
    };
    faults.errors.push(FieldError::new(path, detail));
    None
}
