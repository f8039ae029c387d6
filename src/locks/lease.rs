//! Renews and releases a lease, for callers of the API and for guards.

use super::LockError;
use super::commands::{self, Held, View};
use super::model::{Grant, TTL_MS, Token, within};
use crate::ids::Id;
use crate::store::Link;
use std::time::Duration;
use tokio::time::Instant;

/// Extends a lease, as [`Locks::renew`](super::Locks::renew) does.
pub(super) async fn renew(link: &Link, name: &Id, token: &Token, ttl: Option<Duration>) -> Result<Grant, LockError> {
    let since = Instant::now();
    let ttl = ttl.map(|ttl| within(&TTL_MS, ttl));
    match commands::renew(link, name, token, ttl).await? {
        Held::Done(View { holder: Some(held), .. }) => Ok(Grant {
            token: token.clone(),
            fence: held.fence,
            owner: held.owner,
            expires_at_ms: held.expires_at_ms,
            until: since + held.expires_in,
        }),
        Held::ByOther(holder) => Err(LockError::HeldByOther(holder)),
        Held::ByNone | Held::Done(_) => Err(LockError::NotHeld),
    }
}

/// Releases a lock, as [`Locks::release`](super::Locks::release) does.
pub(super) async fn release(link: &Link, name: &Id, token: &Token) -> Result<(), LockError> {
    match commands::release(link, name, token).await? {
        Held::Done(_) => Ok(()),
        Held::ByOther(holder) => Err(LockError::HeldByOther(holder)),
        Held::ByNone => Err(LockError::NotHeld),
    }
}
