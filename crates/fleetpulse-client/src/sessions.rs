//! Sessions of users.

use crate::{Client, Error};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::{self, Debug, Formatter};

const CURRENT: [&str; 3] = ["v1", "sessions", "current"];

/// The secret token of a session. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SessionToken(String);

impl SessionToken {
    /// Returns the text of the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SessionToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Debug for SessionToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// A session to create.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewSession {
    /// The user: any text of 1 to 256 bytes.
    pub subject: String,
    /// The role of the user, up to 64 bytes.
    pub role: Option<String>,
    /// What the session may do: up to 64 texts of 1 to 128 bytes.
    pub scopes: Vec<String>,
    /// The device of the user: up to 2 KiB of JSON.
    pub device: Option<Map<String, Value>>,
    /// Data of the application: up to 16 KiB of JSON.
    pub data: Option<Map<String, Value>>,
    /// How long the session lasts without use, seconds; by default a setting of the service.
    pub idle_ttl_s: Option<u32>,
    /// How long the session lasts in all, seconds; by default a setting of the service.
    pub absolute_ttl_s: Option<u32>,
}

impl NewSession {
    /// Creates a session of a subject with the default times to live.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            ..Self::default()
        }
    }
}

/// A session with a new token.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct CreatedSession {
    /// The token. The service shows it only once.
    pub token: SessionToken,
    /// The session.
    #[serde(flatten)]
    pub session: Session,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// The public id of the session.
    pub id: String,
    /// The user.
    pub subject: String,
    /// The role of the user.
    pub role: Option<String>,
    /// What the session may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The device of the user.
    pub device: Option<Map<String, Value>>,
    /// Data of the application.
    pub data: Map<String, Value>,
    /// The version of the data: the number of changes, from 1.
    pub version: u64,
    /// How long the session lasts without use, seconds.
    pub idle_ttl_s: u64,
    /// When the session was created.
    pub created_at: DateTime<Utc>,
    /// The last use that was recorded, at most a minute before the last use.
    pub last_seen_at: DateTime<Utc>,
    /// When the session ends if it is not used.
    pub expires_at: DateTime<Utc>,
    /// When the session ends in any case.
    pub absolute_expires_at: DateTime<Utc>,
}

/// A session in a list, without its data.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ListedSession {
    /// The public id of the session.
    pub id: String,
    /// The role of the user.
    pub role: Option<String>,
    /// What the session may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The device of the user.
    pub device: Option<Map<String, Value>>,
    /// When the session was created.
    pub created_at: DateTime<Utc>,
    /// The last use that was recorded, at most a minute before the last use.
    pub last_seen_at: DateTime<Utc>,
    /// When the session ends if it is not used.
    pub expires_at: DateTime<Utc>,
    /// When the session ends in any case.
    pub absolute_expires_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct DataPatch<'a> {
    version: u64,
    data: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Extension {
    seconds: u32,
}

#[derive(Deserialize)]
struct Listed {
    sessions: Vec<ListedSession>,
}

#[derive(Deserialize)]
struct EndedSessions {
    ended: u64,
}

/// Calls about sessions; see [`Client::sessions`]. A call with the token of a session sends it in place of the client's own token.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'c> {
    client: &'c Client,
}

impl<'c> Sessions<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }

    /// Creates a session. The call sends an idempotency key: a repeated attempt ends the session of the attempt whose answer was lost.
    ///
    /// # Errors
    /// 429 `too_many_sessions` if the service has as many sessions as it may have; 422 `validation_failed` if a member is invalid.
    pub async fn create(self, session: &NewSession) -> Result<CreatedSession, Error> {
        let call = self.client.post(&["v1", "sessions"])?;
        call.json(session)?.keyed().fetch().await
    }

    /// Validates a token: returns its session, which is used by this, so its idle end moves.
    ///
    /// # Errors
    /// 401 `unauthenticated` if the session has ended or never existed; 503 `unavailable` while Redis is unavailable.
    pub async fn validate(self, token: &SessionToken) -> Result<Session, Error> {
        self.client.get(&CURRENT)?.bearer(token.as_str())?.fetch().await
    }

    /// Merges into the data of a session (RFC 7396): a member that is null is removed. `version` is the version that was read. The call is
    /// not repeated after a lost answer, because the change may have been made.
    ///
    /// # Errors
    /// 409 `version_conflict` if the data have another version, which the member `version` names; 401 `unauthenticated` if the session has
    /// ended; 422 `validation_failed` if the data would be larger than 16 KiB.
    pub async fn merge_data(
        self,
        token: &SessionToken,
        version: u64,
        data: &Map<String, Value>,
    ) -> Result<Session, Error> {
        let call = self.client.patch(&CURRENT)?.bearer(token.as_str())?;
        call.json(&DataPatch { version, data })?.fetch().await
    }

    /// Replaces the token of a session. The old token stays valid until the new one is used, so the call is safe to repeat.
    ///
    /// # Errors
    /// 409 `token_superseded` if a later token is in use; 401 `unauthenticated` if the session has ended; 429 if eight replaced tokens are
    /// still valid.
    pub async fn rotate(self, token: &SessionToken) -> Result<CreatedSession, Error> {
        let [v1, sessions, current] = CURRENT;
        let call = self.client.post(&[v1, sessions, current, "rotate"])?;
        call.bearer(token.as_str())?.repeatable().fetch().await
    }

    /// Moves both ends of a session by `seconds`, up to the limit of the service. The call is not repeated after a lost answer, because it
    /// would move them twice.
    ///
    /// # Errors
    /// 401 `unauthenticated` if the session has ended.
    pub async fn extend(self, token: &SessionToken, seconds: u32) -> Result<Session, Error> {
        let [v1, sessions, current] = CURRENT;
        let call = self.client.post(&[v1, sessions, current, "extend"])?;
        let call = call.bearer(token.as_str())?;
        call.json(&Extension { seconds })?.fetch().await
    }

    /// Ends the session of a token.
    ///
    /// # Errors
    /// 401 `unauthenticated` if the session had ended before, or an earlier attempt whose answer was lost has ended it.
    pub async fn end(self, token: &SessionToken) -> Result<(), Error> {
        self.client.delete(&CURRENT)?.bearer(token.as_str())?.done().await
    }

    /// Returns the sessions of a subject, oldest first.
    ///
    /// # Errors
    /// 422 `validation_failed` if the subject is invalid.
    pub async fn list(self, subject: &str) -> Result<Vec<ListedSession>, Error> {
        let path = ["v1", "subjects", subject, "sessions"];
        let listed: Listed = self.client.get(&path)?.fetch().await?;
        Ok(listed.sessions)
    }

    /// Ends the session of a subject that has this public id.
    ///
    /// # Errors
    /// 404 `not_found` if there is none, or an earlier attempt whose answer was lost has ended it.
    pub async fn end_by_id(self, subject: &str, id: &str) -> Result<(), Error> {
        let path = ["v1", "subjects", subject, "sessions", id];
        self.client.delete(&path)?.done().await
    }

    /// Ends all sessions of a subject, except the one with the public id `except`. Returns how many the last attempt has ended.
    ///
    /// # Errors
    /// 503 `unavailable` while Redis is: some sessions may have ended.
    pub async fn end_all(self, subject: &str, except: Option<&str>) -> Result<u64, Error> {
        let call = self.client.delete(&["v1", "subjects", subject, "sessions"])?;
        let ended: EndedSessions = call.query_if("except", except).fetch().await?;
        Ok(ended.ended)
    }
}
