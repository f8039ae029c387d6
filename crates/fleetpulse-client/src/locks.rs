//! Locks with a lease and a fencing token.

use crate::call::random_token;
use crate::{Client, Error};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A request for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockRequest {
    /// How long the lock lasts if it is not renewed, milliseconds, 100 to 3,600,000.
    pub ttl_ms: u32,
    /// How long to wait while the lock is held, milliseconds, up to 60,000; by default the call does not wait.
    pub wait_ms: Option<u32>,
    /// The name of the caller, for others to see.
    pub owner: Option<String>,
    /// A secret of 16 to 128 random characters, new for each grant. By default the client generates one for each call.
    pub token: Option<String>,
}

impl LockRequest {
    /// Creates a request for a lock that lasts `ttl_ms` milliseconds, without waiting.
    #[must_use]
    pub const fn new(ttl_ms: u32) -> Self {
        Self {
            ttl_ms,
            wait_ms: None,
            owner: None,
            token: None,
        }
    }
}

/// A lock that was granted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Grant {
    /// The name of the lock.
    pub name: String,
    /// The secret that renews and releases the lock.
    pub token: String,
    /// The fencing token: greater than that of each earlier grant of the name. Send it with each write that the lock protects.
    pub fence: u64,
    /// The name of the caller, as it was sent.
    pub owner: Option<String>,
    /// When the lock ends, by the clock of Redis.
    pub expires_at: DateTime<Utc>,
    /// How long the lock lasts from the moment of the answer, milliseconds. Use it if the clocks may differ.
    pub expires_in_ms: u64,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The name of the lock.
    pub name: String,
    /// The name of the holder, if it sent one.
    pub owner: Option<String>,
    /// The fencing token of the grant.
    pub fence: u64,
    /// When the lock ends, by the clock of Redis.
    pub expires_at: DateTime<Utc>,
    /// The number of requests that wait for the lock.
    pub waiting: u64,
}

#[derive(Serialize)]
struct Renewal<'a> {
    token: &'a str,
    ttl_ms: Option<u32>,
}

#[derive(Serialize)]
struct Release<'a> {
    token: &'a str,
}

/// Calls about locks; see [`Client::locks`].
#[derive(Debug, Clone, Copy)]
pub struct Locks<'c> {
    client: &'c Client,
}

impl<'c> Locks<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }

    /// Acquires a lock. The call is safe to repeat because all attempts send the same token. If its future is dropped while it waits, the
    /// service grants no lock.
    ///
    /// # Errors
    /// 409 `lock_taken` if the lock is held; 504 `lock_wait_timeout` if it was still held after `wait_ms`; 503 `unavailable` if too many
    /// requests wait.
    pub async fn acquire(self, name: &str, request: &LockRequest) -> Result<Grant, Error> {
        let mut request = request.clone();
        request.token.get_or_insert_with(random_token);
        let call = self.client.post(&["v1", "locks", name])?;
        let call = call.json(&request)?.waiting(request.wait_ms);
        call.repeatable().fetch().await
    }

    /// Renews a lock for `ttl_ms` milliseconds from now, or by default for as long as it was granted. It never ends earlier than before.
    ///
    /// # Errors
    /// 404 `not_found` or 409 `lock_held_by_other` if the lock has ended.
    pub async fn renew(self, grant: &Grant, ttl_ms: Option<u32>) -> Result<Grant, Error> {
        let token = &grant.token;
        let call = self.client.post(&["v1", "locks", &grant.name, "renew"])?;
        call.json(&Renewal { token, ttl_ms })?.repeatable().fetch().await
    }

    /// Releases a lock. A repeated call succeeds until the next holder has released the lock.
    ///
    /// # Errors
    /// 404 `not_found` or 409 `lock_held_by_other` if the lock had ended before.
    pub async fn release(self, grant: &Grant) -> Result<(), Error> {
        let token = &grant.token;
        let call = self.client.post(&["v1", "locks", &grant.name, "release"])?;
        call.json(&Release { token })?.repeatable().done().await
    }

    /// Returns the holder of a lock; `None` if the lock is free.
    ///
    /// # Errors
    /// 422 `validation_failed` if the name is invalid.
    pub async fn holder(self, name: &str) -> Result<Option<Holder>, Error> {
        self.client.get(&["v1", "locks", name])?.find().await
    }
}
