//! The replies of the scripts, read value by value.

use super::error::not_understood;
use super::model::{About, Data, Times};
use super::token::SessionId;
use crate::ids::ExternalId;
use crate::store::StoreError;
use std::str::{FromStr, Split};

/// Why a script refused a call.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such session, or the token does not belong to it.
    Unknown,
    /// The token is no longer accepted; the session of this subject is ended.
    Reused(ExternalId),
    /// The token is still accepted but may not be rotated, because a later one is in use.
    Superseded,
    /// The maximum number of replaced tokens is still accepted; the first grace period ends after this many milliseconds.
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

/// A script's reply: one value per line; the first one is the outcome.
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

    /// The outcome.
    pub(super) const fn outcome(&self) -> &'a str {
        self.outcome
    }

    /// Returns the reply if its outcome is not a refusal.
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
        self.rest.next().ok_or_else(|| not_understood("the reply is too short"))
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, StoreError> {
        self.text()?.parse().map_err(|_private| not_understood("a number"))
    }

    pub(super) fn id(&mut self) -> Result<ExternalId, StoreError> {
        id(self.text()?)
    }

    pub(super) fn about(&mut self) -> Result<About, StoreError> {
        serde_json::from_str(self.text()?).map_err(|_private| not_understood("the properties of a session"))
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

    /// Returns the remaining values, which are ids of sessions.
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
