use super::error::not_understood;
use super::token::SessionId;
use super::{MAX_DATA, MAX_NESTING, SessionError};
use crate::ids::ExternalId;
use crate::json::{JsonFault, Object};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::time::Duration;

/// The properties of a session that its creator sets and that never change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct About {
    /// The role of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The scopes: what the session may be used for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The device, as a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Box<RawValue>>,
}

/// Data of a session: a JSON object that is at most [`MAX_DATA`] bytes as text, and nested at most [`MAX_NESTING`] deep.
#[derive(Debug, Clone)]
pub struct Data(Box<RawValue>);

impl Default for Data {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_never| RawValue::NULL.to_owned()))
    }
}

impl Data {
    /// Converts an object to data.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn new(members: &Map<String, Value>) -> Result<Self, SessionError> {
        // An object of values can always be written as JSON.
        let text = serde_json::value::to_raw_value(members).map_err(|_not_json| JsonFault::NoObject)?;
        Self::read(&text)
    }

    /// Reads a JSON object, and keeps its text without the spaces.
    ///
    /// # Errors
    /// [`SessionError::TooMuchData`], [`SessionError::TooDeep`] and [`SessionError::NoData`].
    pub fn read(given: &RawValue) -> Result<Self, SessionError> {
        Self::of(&Object::read(given, MAX_NESTING)?)
    }

    fn of(object: &Object<'_>) -> Result<Self, SessionError> {
        let text = object.to_string();
        if text.len() > MAX_DATA {
            return Err(SessionError::TooMuchData);
        }
        let text = RawValue::from_string(text).map_err(|_not_json| JsonFault::NoObject)?;
        Ok(Self(text))
    }

    /// Reads data that were stored in Redis; `None` if they are not JSON.
    pub(super) fn stored(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().map(Self)
    }

    /// Returns the JSON text.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// Returns these data with a merge patch (RFC 7396) applied.
    pub(super) fn merged(&self, patch: Object<'_>) -> Result<Self, SessionError> {
        let mut object =
            Object::read(&self.0, MAX_NESTING).map_err(|_private| not_understood("the data of a session"))?;
        object.merge(patch);
        Self::of(&object)
    }
}

impl From<JsonFault> for SessionError {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::TooDeep => Self::TooDeep,
            fault => Self::NoData(fault),
        }
    }
}

/// A session to create.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose.
    pub subject: ExternalId,
    /// Its unchanging properties.
    pub about: About,
    /// Its first data.
    pub data: Data,
    /// The idle time to live; that of the settings if not given. At least a millisecond, at most the maximum in the settings.
    pub idle_ttl: Option<Duration>,
    /// The absolute time to live; in the same bounds.
    pub absolute_ttl: Option<Duration>,
}

/// When a session began and when it ends, Unix milliseconds by Redis's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Its creation.
    pub created_ms: i64,
    /// Its last recorded use: up to a minute, or a tenth of `idle_ttl_ms`, before the actual last use.
    pub seen_ms: i64,
    /// The idle time to live, milliseconds.
    pub idle_ttl_ms: i64,
    /// When it ends if it is not used again. Never after `absolute_ms`.
    pub ends_ms: i64,
    /// When it ends in any case.
    pub absolute_ms: i64,
}

/// A session with its data, as returned to the holder of its token.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its public id.
    pub id: SessionId,
    /// Whose.
    pub subject: ExternalId,
    /// Its unchanging properties.
    pub about: About,
    /// Its data.
    pub data: Data,
    /// The version of the data: counts their changes, from 1.
    pub version: u64,
    /// Its creation, its last use and its end.
    pub times: Times,
}

/// A session in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its public id.
    pub id: SessionId,
    /// Its unchanging properties.
    pub about: About,
    /// Its creation, its last use and its end.
    pub times: Times,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_data_are_not_treated_as_empty() {
        for stored in ["[]", r#"{"a":1,"a":2}"#] {
            let data = Data::stored(stored.to_owned()).unwrap();
            let merged = data.merged(Object::default());
            assert!(matches!(merged, Err(SessionError::Store(_))), "{stored}: {merged:?}");
        }
    }
}
