//! What the scripts answer, read value by value.

use super::model::{About, Data, Times};
use super::token::SessionId;
use crate::ids::ExternalId;
use crate::store::StoreError;
use std::str::{FromStr, Split};

/// Why a script did nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such session, or this is no token of it.
    Unknown,
    /// A token that is honoured no more; the session of this subject is ended.
    Reused(ExternalId),
    /// A token that is still honoured but may not be rotated: a later one is in use.
    Superseded,
    /// As many replaced tokens as may be are honoured still; the first of them for so many milliseconds.
    Crowded(u64),
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

/// A script's answer: a value a line, the first of them a word.
pub(super) struct Reply<'a> {
    outcome: &'a str,
    rest: Split<'a, char>,
}

impl<'a> Reply<'a> {
    pub(super) fn new(reply: &'a str) -> Self {
        let mut rest = reply.split('\n');
        let outcome = rest.next().unwrap_or_default();
        Self { outcome, rest }
    }

    /// Its first word.
    pub(super) const fn outcome(&self) -> &'a str {
        self.outcome
    }

    /// The answer, if it is one of consent.
    pub(super) fn accepted(mut self) -> Result<Self, Refusal> {
        match self.outcome {
            "ok" => Ok(self),
            "unknown" => Err(Refusal::Unknown),
            "reused" => Err(Refusal::Reused(self.id()?)),
            "superseded" => Err(Refusal::Superseded),
            "crowded" => Err(Refusal::Crowded(self.number()?)),
            "conflict" => Err(Refusal::Conflict(self.number()?)),
            _ => Err(not_understood("an answer").into()),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StoreError> {
        self.rest.next().ok_or_else(|| not_understood("too short an answer"))
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, StoreError> {
        self.text()?.parse().map_err(|_private| not_understood("a number"))
    }

    pub(super) fn id(&mut self) -> Result<ExternalId, StoreError> {
        id(self.text()?)
    }

    pub(super) fn about(&mut self) -> Result<About, StoreError> {
        serde_json::from_str(self.text()?).map_err(|_private| not_understood("what is said of a session"))
    }

    pub(super) fn data(&mut self) -> Result<Data, StoreError> {
        Data::stored(self.text()?.to_owned()).ok_or_else(|| not_understood("the data of a session"))
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

    /// The rest of it, which are ids of sessions.
    pub(super) fn ids(self) -> Result<Vec<SessionId>, StoreError> {
        self.rest.map(session_id).collect()
    }
}

pub(super) fn session_id(text: &str) -> Result<SessionId, StoreError> {
    SessionId::parse(text).ok_or_else(|| not_understood("the id of a session"))
}

pub(super) fn id(text: &str) -> Result<ExternalId, StoreError> {
    ExternalId::parse(text).map_err(|_private| not_understood("a subject"))
}

/// Says which part was not understood, without its text, which may be confidential.
pub(super) fn not_understood(what: &str) -> StoreError {
    StoreError::Answer(format!("sessions: {what}"))
}
