use super::merge::merge;
use super::reply::not_understood;
use super::token::SessionId;
use super::{MAX_DATA, MAX_NESTING, SessionError};
use crate::ids::Id;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::time::Duration;

/// What its creator says of a session once and for all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct About {
    /// What the subject is there as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The device, as a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Box<RawValue>>,
}

/// Data of a session: a JSON object that is at most [`MAX_DATA`] bytes as text, and nested at most [`MAX_NESTING`] deep.
#[derive(Debug, Clone)]
pub struct Data(Box<RawValue>);

impl Data {
    /// An object as data.
    ///
    /// # Errors
    /// [`SessionError::TooMuchData`] and [`SessionError::TooDeep`].
    pub fn new(members: &Map<String, Value>) -> Result<Self, SessionError> {
        if !is_shallow(members) {
            return Err(SessionError::TooDeep);
        }
        // An object of values is always JSON; were it not, it would be no data.
        let text = serde_json::value::to_raw_value(members).map_err(|_not_json| SessionError::TooMuchData)?;
        if text.get().len() > MAX_DATA {
            return Err(SessionError::TooMuchData);
        }
        Ok(Self(text))
    }

    /// What Redis gave back; `None` if it is not JSON.
    pub(super) fn stored(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().map(Self)
    }

    /// The JSON.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// These data with a merge patch (RFC 7396) applied.
    pub(super) fn merged(&self, patch: Map<String, Value>) -> Result<Self, SessionError> {
        let mut members: Map<String, Value> =
            serde_json::from_str(self.0.get()).map_err(|_private| not_understood("the data of a session"))?;
        merge(&mut members, patch);
        Self::new(&members)
    }
}

/// Whether an object is nested at most [`MAX_NESTING`] deep, counting itself. What is deeper could be written and not be
/// read again: readers have bounds of their own.
pub(super) fn is_shallow(members: &Map<String, Value>) -> bool {
    fn is_within(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(elements) => levels > 0 && elements.iter().all(|value| is_within(value, levels - 1)),
            Value::Object(members) => levels > 0 && members.values().all(|value| is_within(value, levels - 1)),
            _ => true,
        }
    }
    members.values().all(|value| is_within(value, MAX_NESTING - 1))
}

/// A session to create.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose.
    pub subject: Id,
    /// What there is to say of it.
    pub about: About,
    /// Its first data.
    pub data: Data,
    /// How long it lives without use; the setting's if not given. At least a millisecond, at most the setting for all.
    pub idle_ttl: Option<Duration>,
    /// How long it lives at all; in the same bounds.
    pub absolute_ttl: Option<Duration>,
}

/// When a session began and when it ends, Unix milliseconds by Redis's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Its creation.
    pub created_ms: i64,
    /// Its last use that was written: up to a minute, or a tenth of `idle_ttl_ms`, before the last.
    pub seen_ms: i64,
    /// How long it lives without use, milliseconds.
    pub idle_ttl_ms: i64,
    /// When it ends if it is not used any more. Never after `absolute_ms`.
    pub ends_ms: i64,
    /// When it ends however much it is used.
    pub absolute_ms: i64,
}

/// A session as its token opens it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// Whose.
    pub subject: Id,
    /// What its creator said of it.
    pub about: About,
    /// Its data.
    pub data: Data,
    /// Counts the changes of the data, from 1.
    pub version: u64,
    /// When it began and ends.
    pub times: Times,
}

/// A session as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public name.
    pub id: SessionId,
    /// What its creator said of it.
    pub about: About,
    /// When it began and ends.
    pub times: Times,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_cannot_be_read_are_not_taken_for_none() {
        for stored in ["[]", r#"{"a":{"$serde_json::private::RawValue":"{"}}"#] {
            let data = Data::stored(stored.to_owned()).unwrap();
            let merged = data.merged(Map::from_iter([("a".to_owned(), Value::Null)]));
            assert!(matches!(merged, Err(SessionError::Store(_))), "{stored}: {merged:?}");
        }
    }
}
