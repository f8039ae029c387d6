use super::reply::not_understood;
use super::token::SessionId;
use super::{MAX_DATA, MAX_NESTING, SessionError};
use crate::ids::ExternalId;
use crate::json::{JsonFault, Object};
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

impl Default for Data {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_never| RawValue::NULL.to_owned()))
    }
}

impl Data {
    /// An object as data.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn new(members: &Map<String, Value>) -> Result<Self, SessionError> {
        // An object of values is always JSON; were it not, it would be no data.
        let text = serde_json::value::to_raw_value(members).map_err(|_not_json| JsonFault::NoObject)?;
        Self::read(&text)
    }

    /// An object as it was written, without the spaces.
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
    pub subject: ExternalId,
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
        for stored in ["[]", r#"{"a":1,"a":2}"#] {
            let data = Data::stored(stored.to_owned()).unwrap();
            let merged = data.merged(Object::default());
            assert!(matches!(merged, Err(SessionError::Store(_))), "{stored}: {merged:?}");
        }
    }
}
