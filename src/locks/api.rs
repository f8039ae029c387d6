use super::LockError;
use super::attempt::Attempt;
use super::commands::{self, Asked};
use super::guard::LockGuard;
use super::lease;
use super::model::{Grant, Holder, Token, Wanted};
use super::settings::LockSettings;
use super::wakeups::Wakeups;
use crate::ids::Id;
use crate::runtime::Undelivered;
use crate::store::{Link, StoreError};
use std::mem;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The resolution of times in Redis: a lease that ends within a millisecond has expired in the next one.
const TICK: Duration = Duration::from_millis(1);
/// The first pause before a retry after the connection to Redis was lost. It doubles up to the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The state of a waiting call.
#[derive(Debug, Default)]
struct Seen {
    /// The holder in the last reply of Redis.
    holder: Option<Holder>,
    /// Whether the last call to Redis got no reply.
    is_unconfirmed: bool,
    /// Whether Redis may have something of the attempt: a place in the queue, an offer or a grant.
    may_queue: bool,
}

/// Locks with leases and fencing tokens. Clones share the connection.
///
/// ```no_run
/// # async fn example(store: fleetpulse::store::Store) -> Result<(), Box<dyn std::error::Error>> {
/// use fleetpulse::locks::LockSettings;
/// use fleetpulse::ids::Id;
/// use fleetpulse::locks::{Locks, Wakeups, Wanted};
/// use fleetpulse::store::Link;
/// use std::time::Duration;
///
/// let locks = Locks::new(Link::open(&store), Wakeups::listen(&store), LockSettings::default());
/// let wanted = Wanted::lasting(Duration::from_secs(10)).waiting(Duration::from_secs(5));
/// let guard = locks.acquire(&Id::parse("invoices:2026-11")?, wanted).await?;
/// tokio::select! {
///     () = async { /* work that passes guard.fence() on to whatever it writes to */ } => {}
///     () = guard.lost() => { /* stop: another holder may have it now */ }
/// }
/// guard.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Locks {
    link: Link,
    wakeups: Wakeups,
    settings: LockSettings,
}

impl Locks {
    /// Creates the locks of a connection. `wakeups` is shared by the whole process.
    #[must_use]
    pub const fn new(link: Link, wakeups: Wakeups, settings: LockSettings) -> Self {
        Self {
            link,
            wakeups,
            settings,
        }
    }

    /// Acquires a lock for as long as the guard lives: the guard renews the grant, reports its loss, and releases it.
    ///
    /// # Errors
    /// As [`Self::grant`].
    pub async fn acquire(&self, name: &Id, wanted: Wanted) -> Result<LockGuard, LockError> {
        let grant = self.grant(name, &wanted).await?;
        Ok(LockGuard::keep(self.link.clone(), name.clone(), grant, wanted.ttl))
    }

    /// Acquires a lock once, for its time to live, for callers that renew and release it themselves. If the future is dropped before it
    /// completes, a grant or a place in the queue is released.
    ///
    /// # Errors
    /// [`LockError::Taken`], [`LockError::TimedOut`], [`LockError::QueueFull`], [`LockError::TokenReused`],
    /// [`LockError::Closed`];
    /// [`LockError::Store`]: at once if Redis is unavailable at the first call; at the end of the wait if Redis becomes unavailable later, or
    /// does not answer in time.
    pub async fn grant(&self, name: &Id, wanted: &Wanted) -> Result<Grant, LockError> {
        self.acquire_undelivered(name, wanted).await.map(Undelivered::deliver)
    }

    /// Acquires a lock for a client that may disconnect before the response.
    pub(super) async fn acquire_undelivered(
        &self,
        name: &Id,
        wanted: &Wanted,
    ) -> Result<Undelivered<Grant>, LockError> {
        let id = self.wakeups.attempt();
        let mut attempt = Attempt::new(&self.link, name, id, wanted.wait + wanted.ttl);
        let mut seen = Seen::default();
        let answer = if wanted.wait.is_zero() {
            self.ask_once(name, wanted, &attempt.id).await
        } else {
            let waiting = timeout(wanted.wait, self.wait(name, wanted, &attempt.id, &mut seen));
            let answer = tokio::select! {
                biased;
                answer = waiting => Some(answer),
                () = self.wakeups.closed() => None,
            };
            match answer {
                Some(Ok(answer)) => answer,
                Some(Err(_)) if seen.is_unconfirmed || self.wakeups.is_interrupted() => {
                    Err(StoreError::Unavailable.into())
                }
                Some(Err(_)) => Err(LockError::TimedOut(seen.holder)),
                None => {
                    // Not in the background, because the runtime may stop together with the waiting requests.
                    if commands::leave(&self.link, name, &attempt.id).await.is_ok() {
                        attempt.settle();
                    }
                    Err(LockError::Closed)
                }
            }
        };
        match &answer {
            // Redis refused the attempt, or it was never sent, so there is nothing to release in Redis.
            Err(
                LockError::Taken(_)
                | LockError::QueueFull
                | LockError::TokenReused
                | LockError::Store(StoreError::Unavailable | StoreError::Full | StoreError::Refused(_)),
            ) if !seen.may_queue => attempt.settle(),
            _ => {}
        }
        answer.map(|grant| attempt.granted(grant))
    }

    async fn ask_once(&self, name: &Id, wanted: &Wanted, attempt: &str) -> Result<Grant, LockError> {
        let (asked, since) = self.ask(name, wanted, attempt).await?;
        granted(asked, since, wanted)
    }

    /// Tries to acquire the lock at each wake-up, until the reply is something other than to wait.
    async fn wait(&self, name: &Id, wanted: &Wanted, attempt: &str, seen: &mut Seen) -> Result<Grant, LockError> {
        let key = self.link.store().keys().lock(name);
        // Registered before the first call, so that no wake-up is missed.
        seen.is_unconfirmed = true;
        let registration = self.wakeups.register(key, attempt).await;
        let mut pause = FIRST_PAUSE;
        loop {
            let was_asked = mem::replace(&mut seen.may_queue, true);
            seen.is_unconfirmed = true;
            let messages = registration.messages();
            let (answer, since) = match self.ask(name, wanted, attempt).await {
                // A waiting call also waits for Redis. If the lost call was granted the lock, the next one gets the same grant.
                Err(StoreError::Unavailable | StoreError::Lost(_)) if was_asked => {
                    self.link.connected().await;
                    // Redis may be reachable and refuse writes. Jitter keeps the waiting calls from retrying at the same time.
                    sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                Err(error) => {
                    seen.may_queue = was_asked;
                    return Err(error.into());
                }
                Ok(answer) => answer,
            };
            pause = FIRST_PAUSE;
            seen.is_unconfirmed = false;
            match answer {
                Asked::Waiting(view) => {
                    registration.set_end(messages, Instant::now() + view.left + TICK);
                    seen.holder = view.holder;
                }
                Asked::Granted(ref held) => {
                    registration.set_end(messages, Instant::now() + held.expires_in + TICK);
                    return granted(answer, since, wanted);
                }
                answer => {
                    seen.may_queue = was_asked;
                    return granted(answer, since, wanted);
                }
            }
            registration.called().await;
        }
    }

    async fn ask(&self, name: &Id, wanted: &Wanted, attempt: &str) -> Result<(Asked, Instant), StoreError> {
        let since = Instant::now();
        let asked = commands::acquire(&self.link, name, wanted, attempt, self.settings.max_waiters).await?;
        Ok((asked, since))
    }

    /// Extends a lease to `ttl` from now, limited to [`TTL_MS`](super::TTL_MS), or to the time that it was granted for. Never makes it
    /// shorter.
    ///
    /// # Errors
    /// [`LockError::NotHeld`], [`LockError::HeldByOther`]: the grant has ended. [`LockError::Store`]: it may have been renewed.
    pub async fn renew(&self, name: &Id, token: &Token, ttl: Option<Duration>) -> Result<Grant, LockError> {
        lease::renew(&self.link, name, token, ttl).await
    }

    /// Releases a lock. A repeated call gets the same answer until the next holder has released the lock as well.
    ///
    /// # Errors
    /// [`LockError::NotHeld`], [`LockError::HeldByOther`]: the grant had ended before. [`LockError::Store`]: it may be released.
    pub async fn release(&self, name: &Id, token: &Token) -> Result<(), LockError> {
        lease::release(&self.link, name, token).await
    }

    /// Returns the holder of a lock, if there is one, and the number of waiting requests.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn inspect(&self, name: &Id) -> Result<(Option<Holder>, u64), StoreError> {
        commands::inspect(&self.link, name).await
    }
}

/// Converts a grant of the script for its caller. `since` is a time before the request.
fn granted(asked: Asked, since: Instant, wanted: &Wanted) -> Result<Grant, LockError> {
    match asked {
        Asked::Granted(held) => Ok(Grant {
            token: wanted.token.clone(),
            fence: held.fence,
            owner: held.owner,
            expires_at_ms: held.expires_at_ms,
            until: since + held.expires_in,
        }),
        Asked::Taken(view) | Asked::Waiting(view) => Err(LockError::Taken(view.holder)),
        Asked::Full => Err(LockError::QueueFull),
        Asked::Reused => Err(LockError::TokenReused),
    }
}
