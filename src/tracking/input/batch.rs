//! Parses many positions in one body: a fault in one element does not affect the others.

use super::loose::{Loose, Text};
use super::names::Member;
use super::raw::{Fill, MAX_BATCH, RawFix};
use super::split::{self, SplitError};
use super::warnings::Warnings;
use super::{BodyError, Clock, Report, malformed, unmarked, validate};
use crate::http::FieldError;
use crate::ids::{Id, RESERVED_ENTITIES, parse_member};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The content of a batch.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// Its elements, in order. Their reports have no warnings of their own.
    pub elements: Vec<Element>,
    /// The warnings about members that were dropped from the accepted elements.
    pub warnings: Warnings,
}

/// An element of a batch: its id and report, or its faults.
pub type Element = Result<(Id, Report), Rejection>;

/// Why an element of a batch was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The id that it gave, if that is valid.
    pub id: Option<Id>,
    /// The fault.
    pub detail: String,
}

/// Parses a batch: an array, or an object with `positions`.
///
/// # Errors
/// [`BodyError`] only where the elements cannot be distinguished; faults of single elements are in the result.
pub fn parse_batch(body: &[u8], clock: Clock) -> Result<Batch, BodyError> {
    let body = unmarked(body);
    let mut parser = serde_json::Deserializer::from_slice(body);
    let parsed = Positions(clock)
        .deserialize(&mut parser)
        .and_then(|batch| parser.end().map(|()| batch));
    match parsed {
        Ok(batch) => Ok(batch),
        Err(error) if error.is_data() && error.to_string().starts_with(TOO_MANY) => Err(BodyError::TooMany),
        Err(error) if error.is_data() => Err(malformed(&error)),
        // Something in it is not JSON, or is JSON that the parser cannot represent. Other elements must not be affected.
        Err(error) => match split::elements(body) {
            Ok(elements) => {
                let mut batch = Batch::with_capacity(elements.len());
                for text in elements {
                    batch.push(text_element(text, clock));
                }
                Ok(batch)
            }
            Err(SplitError::TooMany) => Err(BodyError::TooMany),
            Err(SplitError::Twice) => {
                let detail = "duplicate field `positions`";
                Err(BodyError::Unacceptable(vec![FieldError::new("", detail)]))
            }
            Err(SplitError::NoArray) => Err(malformed(&error)),
        },
    }
}

/// Parses a batch of one JSON object per line; empty lines are skipped.
///
/// # Errors
/// [`BodyError::TooMany`].
pub fn parse_ndjson(body: &[u8], clock: Clock) -> Result<Batch, BodyError> {
    let mut batch = Batch::with_capacity(0);
    for line in body.split(|byte| *byte == b'\n') {
        // Concatenated files have a byte-order mark wherever one of them begins.
        let line = unmarked(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        if batch.elements.len() == MAX_BATCH {
            return Err(BodyError::TooMany);
        }
        batch.push(text_element(line, clock));
    }
    Ok(batch)
}

impl Batch {
    fn with_capacity(elements: usize) -> Self {
        Self {
            elements: Vec::with_capacity(elements),
            warnings: Warnings::default(),
        }
    }

    fn push(&mut self, mut element: Element) {
        if let Ok((id, report)) = &mut element {
            for warning in std::mem::take(&mut report.warnings) {
                self.warnings.add(self.elements.len(), id, warning);
            }
        }
        self.elements.push(element);
    }
}

/// Parses the text of one element.
fn text_element(json: &[u8], clock: Clock) -> Element {
    let mut raw = RawFix::default();
    match raw.fill(json) {
        Ok(()) => element(&mut raw, clock),
        Err(error) => Err(Rejection {
            id: split::id(json).and_then(|id| parse_member(&id, RESERVED_ENTITIES).ok()),
            detail: if json.is_empty() {
                "is empty: remove the extra comma".to_owned()
            } else {
                format!("cannot be read: {error}")
            },
        }),
    }
}

/// Returns the id of an element, or its fault.
fn id_of(raw: &RawFix<'_>) -> Result<Id, String> {
    let id = raw.read(Member::Id, |value| match value {
        Loose::Text(text) => parse_member(text, RESERVED_ENTITIES)
            .map(Some)
            .map_err(|error| error.to_string()),
        other => Err(format!("must be a string, not {}", other.type_name())),
    });
    id?.ok_or_else(|| "is required".to_owned())
}

fn element(raw: &mut RawFix<'_>, clock: Clock) -> Element {
    let id = id_of(raw);
    let is_object = raw.not_an_object.is_none();
    match (id, validate(raw, clock)) {
        (Ok(id), Ok(report)) => Ok((id, report)),
        (id, report) => {
            let mut faults: Vec<FieldError> = Vec::new();
            if is_object && let Err(detail) = &id {
                faults.push(FieldError::new(Member::Id.name(), detail.as_str()));
            }
            faults.extend(report.err().unwrap_or_default());
            let details: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(Rejection {
                id: id.ok(),
                detail: details.join("; "),
            })
        }
    }
}

/// The parser's error for a batch that is too long; the caller recognises it to answer 413.
const TOO_MANY: &str = "more than 10000 positions";

/// Reads a batch in either of its JSON forms, and validates each element as soon as it is read.
#[derive(Clone, Copy)]
struct Positions(Clock);

impl<'de> DeserializeSeed<'de> for Positions {
    type Value = Batch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Batch, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Positions {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of positions or an object with the member \"positions\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch, A::Error> {
        let mut batch = Batch::with_capacity(seq.size_hint().unwrap_or(256).min(MAX_BATCH));
        loop {
            let mut raw = RawFix::default();
            if seq.next_element_seed(Fill(&mut raw))?.is_none() {
                return Ok(batch);
            }
            if batch.elements.len() == MAX_BATCH {
                return Err(A::Error::custom(TOO_MANY));
            }
            batch.push(element(&mut raw, self.0));
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Batch, A::Error> {
        let mut positions = None;
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if name == "positions" {
                if positions.is_some() {
                    return Err(A::Error::duplicate_field("positions"));
                }
                positions = Some(map.next_value_seed(Array(self))?);
            } else {
                let _: Loose<'de> = map.next_value()?;
            }
        }
        positions.ok_or_else(|| A::Error::missing_field("positions"))
    }
}

/// The array inside `{"positions": …}`; an object there would be one level too deep.
struct Array(Positions);

impl<'de> DeserializeSeed<'de> for Array {
    type Value = Batch;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Batch, D::Error> {
        deserializer.deserialize_seq(self.0)
    }
}
