use super::SessionError;
use super::commands::{self, Created, Lifetimes, Repeated, milliseconds};
use super::keys::SessionPartition;
use super::model::{Listed, NewSession, Session};
use super::reply::Refusal;
use super::shared::Shared;
use super::token::{SessionId, Token};
use crate::ids::ExternalId;
use crate::json::Object;
use crate::once::Once;
use crate::runtime::{GiveBack, Undelivered};
use crate::store::{Link, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Maximum attempts of a creation or a sign-out, each with a new list of the subject's sessions, because other calls changed them
/// in the meantime. Each failed attempt means that another call succeeded, so it takes as many concurrent calls to exceed this.
const ROUNDS: usize = 32;
/// How long the service retries to end a session whose client has disconnected.
const LONGEST_ENDING: Duration = Duration::from_mins(1);

/// The sessions, over one connection. Clones are cheap and share it.
///
/// ```no_run
/// # use fleetpulse::sessions::{NewSession, SessionError, SessionMetrics, SessionSettings, Sessions, Shared, Token};
/// # use fleetpulse::store::Link;
/// # async fn sign_in(link: Link, settings: SessionSettings, metrics: &SessionMetrics, new: NewSession) -> Result<(), SessionError> {
/// let sessions = Sessions::new(link, Shared::new(settings, metrics));
/// let (token, session) = sessions.create(&new).await?;
/// assert_eq!(sessions.validate(&token).await?.id, session.id);
/// sessions.sign_out(&token).await?;
/// assert!(matches!(sessions.validate(&token).await, Err(SessionError::Unknown)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sessions {
    link: Link,
    shared: Arc<Shared>,
}

impl Sessions {
    /// Creates the sessions of a connection; `shared` is the state that all connections of a process share.
    #[must_use]
    pub fn new(link: Link, shared: Arc<Shared>) -> Self {
        Self { link, shared }
    }

    /// Returns the state that all connections of this process share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Creates a session. Only the caller gets its token. If the subject has too many sessions the oldest ones end.
    ///
    /// # Errors
    /// [`SessionError::TooMany`], [`SessionError::Busy`], [`SessionError::Random`], or [`SessionError::Store`]: after
    /// [`StoreError::Lost`] there may be
    /// a session whose token was lost; it is ended as soon as Redis answers.
    pub async fn create(&self, new: &NewSession) -> Result<(Token, Session), SessionError> {
        self.offer(new, None).await.map(Undelivered::deliver)
    }

    /// Creates a session once for each idempotency key, for a client that may disconnect before the response. The session of an earlier call
    /// with the key ends, because its token cannot be returned again.
    pub(super) async fn offer(
        &self,
        new: &NewSession,
        once: Option<&Once>,
    ) -> Result<Undelivered<(Token, Session)>, SessionError> {
        self.link.store().room()?;
        let claim = self.shared.open().claim();
        let settings = self.shared.settings();
        if claim.before() >= settings.max {
            return Err(SessionError::TooMany);
        }
        let id = SessionId::draw()?;
        let token = Token::draw(SessionPartition::of(&new.subject), &id)?;
        let within = |given: Option<Duration>, usual: Duration| {
            milliseconds(given.unwrap_or(usual).min(settings.max_ttl())).max(1)
        };
        let lifetimes = Lifetimes {
            idle_ms: within(new.idle_ttl, settings.idle_ttl()),
            absolute_ms: within(new.absolute_ttl, settings.absolute_ttl()),
        };
        let (mut known, mut before) = (Vec::new(), None);
        // Also if the reply is lost, or this future is dropped because the client has disconnected.
        let mut give_back = self.end_unless_delivered(
            &new.subject,
            &id,
            Duration::from_millis(lifetimes.idle_ms.unsigned_abs()).min(LONGEST_ENDING),
        );
        for _ in 0..ROUNDS {
            let repeated = once.map(|once| Repeated {
                once,
                before: before.as_ref(),
            });
            let limit = settings.per_subject;
            let created = commands::create(&self.link, &token, new, lifetimes, limit, &known, repeated).await;
            match created.inspect_err(|error| {
                if matches!(error, StoreError::Unavailable | StoreError::Refused(_)) {
                    give_back.settle();
                }
            })? {
                Created::Done(times) => {
                    claim.keep();
                    self.shared.counted().created.inc();
                    let session = Session {
                        id,
                        subject: new.subject.clone(),
                        about: new.about.clone(),
                        data: new.data.clone(),
                        version: 1,
                        times,
                    };
                    return Ok(Undelivered::new((token, session), give_back));
                }
                Created::Full(all) => known = all,
                Created::Before(id) => before = Some(id),
                Created::Differs => {
                    give_back.settle();
                    return Err(SessionError::KeyReused);
                }
            }
        }
        give_back.settle();
        Err(SessionError::Busy)
    }

    /// Ends a session in the background whose token was not delivered.
    fn end_unless_delivered(&self, subject: &ExternalId, id: &SessionId, lasting: Duration) -> GiveBack {
        let (link, subject, id) = (self.link.clone(), subject.clone(), id.clone());
        GiveBack::new(move || {
            link.give_back("sessions.give_back", lasting, move |link| {
                let (subject, id) = (subject.clone(), id.clone());
                async move { commands::end_sessions(&link, &subject, &[id]).await.map(drop) }
            });
        })
    }

    /// Returns the session that a token opens. Moves its end to its idle time to live from now, never past its absolute end.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Reused`], or [`SessionError::Store`]: without Redis no token can be validated.
    pub async fn validate(&self, token: &Token) -> Result<Session, SessionError> {
        let validated = self.settle(token, commands::validate(&self.link, token).await).await;
        let counted = self.shared.counted();
        match &validated {
            Ok(_) => counted.valid.inc(),
            Err(SessionError::Unknown) => counted.unknown.inc(),
            Err(SessionError::Reused) => counted.reused.inc(),
            Err(_) => {}
        }
        validated
    }

    /// Merges a patch (RFC 7396) into the data of the session that a token opens, if they are still those of `version`.
    ///
    /// # Errors
    /// As [`Self::validate`], [`SessionError::TooMuchData`], [`SessionError::TooDeep`], and [`SessionError::Conflict`], also if an earlier
    /// attempt, whose reply was lost, has changed the data.
    pub async fn merge(&self, token: &Token, version: u64, patch: Object<'_>) -> Result<Session, SessionError> {
        let session = self.settle(token, commands::validate(&self.link, token).await).await?;
        if session.version != version {
            return Err(SessionError::Conflict {
                version: session.version,
            });
        }
        let data = session.data.merged(patch)?;
        if data.raw().get().len() > session.data.raw().get().len() {
            self.link.store().room()?;
        }
        let written = commands::write_data(&self.link, token, version, &data).await;
        self.settle(token, written).await
    }

    /// Replaces the token of a session. The old token is accepted for the configured grace period, and after that until a later token is used
    /// for the first time. After both its use ends the session.
    ///
    /// Until a later token is used the old token may be rotated again: a client that did not get the answer, also after
    /// [`StoreError::Lost`], continues with the old token.
    ///
    /// # Errors
    /// As [`Self::validate`], [`SessionError::Superseded`], [`SessionError::TooManyRotations`], and [`SessionError::Random`].
    pub async fn rotate(&self, token: &Token) -> Result<(Token, Session), SessionError> {
        let new = token.draw_next()?;
        let grace = self.shared.settings().rotation_grace();
        let rotated = commands::rotate(&self.link, token, &new, grace).await;
        let session = self.settle(token, rotated).await?;
        Ok((new, session))
    }

    /// Extends a session: adds a duration to both its ends, up to the configured maximum
    /// ([`SessionSettings::max_ttl`](crate::sessions::SessionSettings::max_ttl)). The absolute time to live of its creation is no limit.
    /// Neither end ever moves to an earlier time. A repeated call after a lost reply may extend the session twice.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub async fn extend(&self, token: &Token, by: Duration) -> Result<Session, SessionError> {
        let subject = self.subject_of(token).await?;
        let max_ttl = self.shared.settings().max_ttl();
        let extended = commands::extend(&self.link, token, &subject, by, max_ttl).await;
        self.settle(token, extended).await
    }

    /// Ends the session that a token opens.
    ///
    /// # Errors
    /// As [`Self::validate`]; [`SessionError::Unknown`] also if an earlier attempt, whose reply was lost, has ended the session.
    pub async fn sign_out(&self, token: &Token) -> Result<(), SessionError> {
        let subject = self.subject_of(token).await?;
        let ended = commands::sign_out(&self.link, token, &subject).await;
        self.settle(token, ended).await
    }

    /// Returns the sessions of a subject, the oldest first.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn list(&self, subject: &ExternalId) -> Result<Vec<Listed>, SessionError> {
        let (_, all) = commands::list(&self.link, subject, &[]).await?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let (listed, _) = commands::list(&self.link, subject, &all).await?;
        Ok(listed)
    }

    /// Ends one session of a subject. Returns whether there was one.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn end(&self, subject: &ExternalId, session: &SessionId) -> Result<bool, SessionError> {
        let named = std::slice::from_ref(session);
        let (ended, _) = commands::end_sessions(&self.link, subject, named).await?;
        Ok(ended > 0)
    }

    /// Ends all sessions of a subject except `except`. Returns how many.
    ///
    /// When it returns, every session that existed at the call has ended. So have sessions that were created during the call, unless there
    /// were so many that it stopped searching for more.
    ///
    /// # Errors
    /// [`SessionError::Store`]: some may have ended. Call it again.
    pub async fn end_all(&self, subject: &ExternalId, except: Option<&SessionId>) -> Result<u64, SessionError> {
        let mut total = 0;
        let mut named = Vec::new();
        for _ in 0..ROUNDS {
            let (ended, mut left) = commands::end_sessions(&self.link, subject, &named).await?;
            total += ended;
            left.retain(|id| Some(id) != except);
            if left.is_empty() {
                break;
            }
            named = left;
        }
        Ok(total)
    }

    async fn subject_of(&self, token: &Token) -> Result<ExternalId, SessionError> {
        commands::subject(&self.link, token).await?.ok_or(SessionError::Unknown)
    }

    /// Maps the refusal of a script to an error. Logs and cleans up if a replaced token was used again.
    async fn settle<T>(&self, token: &Token, outcome: Result<T, Refusal>) -> Result<T, SessionError> {
        match outcome {
            Ok(done) => Ok(done),
            Err(Refusal::Unknown) => Err(SessionError::Unknown),
            Err(Refusal::Superseded) => Err(SessionError::Superseded),
            Err(Refusal::Crowded(after_ms)) => Err(SessionError::TooManyRotations {
                after: Duration::from_millis(after_ms),
            }),
            Err(Refusal::Conflict(version)) => Err(SessionError::Conflict { version }),
            Err(Refusal::Store(error)) => Err(error.into()),
            Err(Refusal::Reused(subject)) => {
                self.shared.counted().stolen.inc();
                tracing::warn!(
                    session = token.id(),
                    "a replaced token was used again: its session is ended"
                );
                self.forget(&subject, token).await;
                Err(SessionError::Reused)
            }
        }
    }

    /// Removes an ended session from its subject's index. If this fails, the next reader does it.
    async fn forget(&self, subject: &ExternalId, token: &Token) {
        let Some(id) = SessionId::parse(token.id()) else { return };
        let forgotten: Result<_, StoreError> = commands::end_sessions(&self.link, subject, &[id]).await;
        if let Err(error) = forgotten {
            tracing::debug!(%error, "an ended session could not be removed from its subject's index; the next reader removes it");
        }
    }
}
