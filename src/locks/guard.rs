use super::attempt::{Left, give_back};
use super::model::{Grant, Token};
use super::{LockError, Locks};
use crate::ids::Id;
use crate::runtime::caught;
use crate::store::StoreError;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// A lock that is held for as long as this lives.
///
/// A background task renews the lease at a third of its time. A lease counts from before its request was sent, by this process's
/// monotonic clock, so it ends here before it ends in Redis. That clock stops while the machine is suspended, and no clock helps a
/// process that is stopped between a look at it and a write: the module's page says what only [`Self::fence`] does.
#[derive(Debug)]
pub struct LockGuard {
    locks: Locks,
    name: Id,
    token: Token,
    fence: u64,
    ttl: Duration,
    lease: watch::Receiver<Lease>,
    keeper: AbortHandle,
    released: bool,
}

/// The state of the lease, as far as this process has heard.
#[derive(Debug, Clone, Copy)]
struct Lease {
    until: Instant,
    lost: bool,
    /// A renewal was sent, and its answer is not there yet or was lost: Redis may hold the lock for longer than is known.
    unheard: bool,
}

impl LockGuard {
    /// Keeps a grant, each time for `ttl`.
    pub(super) fn keep(locks: Locks, name: Id, grant: Grant, ttl: Duration) -> Self {
        let (sender, lease) = watch::channel(Lease {
            until: grant.until,
            lost: false,
            unheard: false,
        });
        let keeping = keep(locks.clone(), name.clone(), grant.token.clone(), ttl, sender);
        Self {
            locks,
            name,
            token: grant.token,
            fence: grant.fence,
            ttl,
            lease,
            keeper: tokio::spawn(caught("locks.keeper", keeping)).abort_handle(),
            released: false,
        }
    }

    /// The number of the grant, greater than that of every grant of the name before. Whatever is written under the lock
    /// should carry it, and what is written to should refuse a smaller one than it has seen.
    #[must_use]
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// The token with which the grant is renewed and released.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Until when the lock can be relied on as it is now; renewals move it.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.lease.borrow().until
    }

    /// Whether the lock can be relied on at this moment.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let lease = self.lease.borrow();
        !lease.lost && Instant::now() < lease.until
    }

    /// Resolves when the lock can no longer be relied on: somebody else has it, or it could not be renewed in time.
    pub async fn lost(&self) {
        let mut lease = self.lease.clone();
        // If the task has ended, the lease is not renewed: that is a loss as well.
        let _ = lease.wait_for(|lease| lease.lost).await;
    }

    /// Releases the lock and waits for Redis to say so.
    ///
    /// # Errors
    /// [`LockError::NotHeld`], [`LockError::HeldByOther`]: it was lost before. [`LockError::Store`]: Redis is away; it is
    /// released in the background when it is back, or ends by itself.
    pub async fn release(mut self) -> Result<(), LockError> {
        self.keeper.abort();
        let released = self.locks.release(&self.name, &self.token).await;
        self.released = !matches!(released, Err(LockError::Store(_)));
        released
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.keeper.abort();
        let Lease { until, unheard, .. } = *self.lease.borrow();
        // A renewal whose answer was lost was carried out before the end, or not at all.
        let moot = if unheard { until + self.ttl } else { until };
        let lasting = moot.saturating_duration_since(Instant::now());
        if self.released || lasting.is_zero() {
            return;
        }
        give_back(&self.locks, &self.name, Left::Grant(self.token.clone()), lasting);
    }
}

/// Renews a lease at a third of its time until it is lost.
async fn keep(locks: Locks, name: Id, token: Token, ttl: Duration, lease: watch::Sender<Lease>) {
    let third = ttl / 3;
    let mut until = lease.borrow().until;
    // A grant that was found by asking again may be nearly over.
    let mut next = Instant::now() + until.saturating_duration_since(Instant::now()).min(ttl) / 3;
    loop {
        sleep_until(next.min(until)).await;
        let renewing = async {
            locks.link().connected().await;
            let was_unheard = lease.borrow().unheard;
            lease.send_modify(|lease| lease.unheard = true);
            let renewed = locks.renew(&name, &token, None).await;
            let is_unheard = match &renewed {
                // The answer of this or of an earlier renewal was lost: either may have been carried out.
                Err(LockError::Store(StoreError::Unavailable | StoreError::Refused(_))) => was_unheard,
                Err(LockError::Store(_)) => true,
                _ => false,
            };
            lease.send_modify(|lease| lease.unheard = is_unheard);
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
