//! What the scripts answer, read value by value.

use super::model::{About, Times};
use super::token::SessionId;
use crate::ids::Id;
use crate::store::StoreError;
use redis::{FromRedisValue, Value};

/// Why a script did nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such session, or this is no token of it.
    Unknown,
    /// A token that is honoured no more; the session of this subject is ended.
    Reused(Id),
    /// The data are at another version.
    Conflict(u64),
    /// Redis.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A script's answer: a word, then values in a fixed order.
pub(super) struct Reply {
    outcome: String,
    rest: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(super) fn new(reply: Vec<Value>) -> Result<Self, StoreError> {
        let mut reply = Self {
            outcome: String::new(),
            rest: reply.into_iter(),
        };
        reply.outcome = reply.text()?;
        Ok(reply)
    }

    /// Its first word.
    pub(super) fn outcome(&self) -> &str {
        &self.outcome
    }

    /// The answer, if it is one of consent.
    pub(super) fn accepted(mut self) -> Result<Self, Refusal> {
        match self.outcome.as_str() {
            "ok" => Ok(self),
            "unknown" => Err(Refusal::Unknown),
            "reused" => Err(Refusal::Reused(id(&self.text()?)?)),
            "conflict" => Err(Refusal::Conflict(self.number()?)),
            other => Err(not_understood(other).into()),
        }
    }

    pub(super) fn value(&mut self) -> Result<Value, StoreError> {
        self.rest.next().ok_or_else(|| not_understood("too few values"))
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        read(self.value()?)
    }

    pub(super) fn number<T: FromRedisValue>(&mut self) -> Result<T, StoreError> {
        read(self.value()?)
    }

    pub(super) fn about(&mut self) -> Result<About, StoreError> {
        serde_json::from_str(&self.text()?).map_err(|_private| not_understood("what is said of a session"))
    }

    pub(super) fn times(&mut self) -> Result<Times, StoreError> {
        Ok(Times {
            created_ms: self.number::<i64>()? / 1000,
            seen_ms: self.number()?,
            idle_ttl_ms: self.number()?,
            ends_ms: self.number()?,
            absolute_ms: self.number()?,
        })
    }
}

pub(super) fn ids(value: Value) -> Result<Vec<SessionId>, StoreError> {
    let ids: Vec<String> = read(value)?;
    ids.iter().map(|id| session_id(id)).collect()
}

pub(super) fn session_id(text: &str) -> Result<SessionId, StoreError> {
    SessionId::parse(text).ok_or_else(|| not_understood("an id that is none"))
}

pub(super) fn id(text: &str) -> Result<Id, StoreError> {
    Id::parse(text).map_err(|error| not_understood(error.to_string()))
}

/// The client's own error would show the value, and that is nobody's business.
fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    T::from_redis_value(value).map_err(|_private| not_understood("a value of another kind"))
}

pub(super) fn not_understood(what: impl Into<String>) -> StoreError {
    StoreError::Answer(format!("sessions: {}", what.into()))
}
