use super::attempt::{Left, give_back};
use super::model::{Grant, Token};
use super::{LockError, lease};
use crate::ids::Id;
use crate::runtime::caught;
use crate::store::{Link, StoreError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// A lock that is held as long as this value exists.
///
/// A background task renews the lease after a third of its time. A lease is counted from before its request was sent, by this process's
/// monotonic clock, so it ends here before it ends in Redis. That clock stops while the machine is suspended, and a process can be
/// paused between a check of the clock and a write. Only [`Self::fence`] protects against these; see the module's page.
#[derive(Debug)]
pub struct LockGuard {
    link: Link,
    name: Id,
    token: Token,
    fence: u64,
    ttl: Duration,
    lease: watch::Receiver<Lease>,
    keeper: AbortHandle,
    released: bool,
}

/// The state of the lease, as far as this process knows.
#[derive(Debug, Clone, Copy)]
struct Lease {
    until: Instant,
    lost: bool,
    /// Whether the reply to a renewal is outstanding or lost, so that the lease in Redis may end later than `until`.
    unconfirmed: bool,
}

impl LockGuard {
    /// Keeps a grant by renewing it for `ttl` each time.
    pub(super) fn keep(link: Link, name: Id, grant: Grant, ttl: Duration) -> Self {
        let (sender, lease) = watch::channel(Lease {
            until: grant.until,
            lost: false,
            unconfirmed: false,
        });
        let keeping = keep(link.clone(), name.clone(), grant.token.clone(), ttl, sender);
        Self {
            link,
            name,
            token: grant.token,
            fence: grant.fence,
            ttl,
            lease,
            keeper: tokio::spawn(caught("locks.keeper", keeping)).abort_handle(),
            released: false,
        }
    }

    /// Returns the fencing token of the grant, greater than those of all earlier grants of this name. Writes under the lock should carry
    /// it, and the storage should refuse a smaller one than it has seen.
    #[must_use]
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// Returns the token with which the grant is renewed and released.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Returns until when the lock is held without another renewal.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.lease.borrow().until
    }

    /// Returns whether the lock is held at this moment.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let lease = self.lease.borrow();
        !lease.lost && Instant::now() < lease.until
    }

    /// Resolves when the lock is lost: another caller holds it, or it could not be renewed in time.
    pub async fn lost(&self) {
        let mut lease = self.lease.clone();
        // If the task has ended, the lease is not renewed any more, so the lock is lost.
        let _ = lease.wait_for(|lease| lease.lost).await;
    }

    /// Releases the lock, and waits for the reply of Redis.
    ///
    /// # Errors
    /// [`LockError::NotHeld`], [`LockError::HeldByOther`]: it was lost before. [`LockError::Store`]: Redis is unavailable; the lock is
    /// released in the background when Redis is available, or expires.
    pub async fn release(mut self) -> Result<(), LockError> {
        self.keeper.abort();
        let released = lease::release(&self.link, &self.name, &self.token).await;
        self.released = !matches!(released, Err(LockError::Store(_)));
        released
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.keeper.abort();
        let Lease { until, unconfirmed, .. } = *self.lease.borrow();
        // A renewal whose reply was lost was executed before the end of the lease, or not at all.
        let moot = if unconfirmed { until + self.ttl } else { until };
        let lasting = moot.saturating_duration_since(Instant::now());
        if self.released || lasting.is_zero() {
            return;
        }
        give_back(&self.link, &self.name, Left::Grant(self.token.clone()), lasting);
    }
}

/// Renews a lease after each third of its time until it is lost.
async fn keep(link: Link, name: Id, token: Token, ttl: Duration, lease: watch::Sender<Lease>) {
    let third = ttl / 3;
    let mut until = lease.borrow().until;
    // A grant that was found by a repeated call may be about to expire.
    let mut next = Instant::now() + until.saturating_duration_since(Instant::now()).min(ttl) / 3;
    loop {
        sleep_until(next.min(until)).await;
        let renewing = async {
            link.connected().await;
            let was_unconfirmed = lease.borrow().unconfirmed;
            lease.send_modify(|lease| lease.unconfirmed = true);
            let renewed = lease::renew(&link, &name, &token, None).await;
            let is_unconfirmed = match &renewed {
                // The reply of this or of an earlier renewal was lost; either may have been executed.
                Err(LockError::Store(StoreError::Unavailable | StoreError::Refused(_))) => was_unconfirmed,
                Err(LockError::Store(_)) => true,
                _ => false,
            };
            lease.send_modify(|lease| lease.unconfirmed = is_unconfirmed);
            renewed
        };
        match timeout_at(until, renewing).await {
            Ok(Ok(grant)) => {
                until = until.max(grant.until);
                next = Instant::now() + third;
                lease.send_modify(|lease| lease.until = until);
            }
            // Redis did not answer; the next renewal may succeed.
            Ok(Err(LockError::Store(error))) => {
                tracing::debug!(?error, "a lock could not be renewed");
                sleep(third / 10).await;
            }
            Ok(Err(_)) | Err(_) => break,
        }
    }
    lease.send_modify(|lease| lease.lost = true);
}
