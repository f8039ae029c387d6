//! Response bodies.

use super::super::LockError;
use super::super::model::{Grant, Holder};
use crate::clock::whole_ms;
use crate::http::{FieldError, Problem, Stamp};
use crate::ids::{ExternalId, Id};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

/// A grant of a lock.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantBody<'a> {
    #[schema(value_type = String)]
    name: &'a Id,
    /// The token for renewing and releasing it; a secret.
    token: &'a str,
    /// The fencing token: greater than those of all earlier grants of this name; below 2^53.
    fence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    owner: Option<&'a ExternalId>,
    /// When it ends, by Redis's clock: RFC 3339 with milliseconds, UTC.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    /// The remaining time when the response is written, rounded down, for clients with another clock. The response takes time to arrive: if
    /// the call did not wait, count from before the request was sent; otherwise subtract the maximum network latency.
    expires_in_ms: u64,
}

impl<'a> GrantBody<'a> {
    pub(super) fn new(name: &'a Id, grant: &'a Grant) -> Self {
        let left = grant.until.saturating_duration_since(Instant::now());
        Self {
            name,
            token: grant.token.as_str(),
            fence: grant.fence,
            owner: grant.owner.as_ref(),
            expires_at: Stamp(grant.expires_at_ms),
            expires_in_ms: whole_ms(left),
        }
    }
}

/// A lock that is held.
#[derive(Serialize, ToSchema)]
pub(super) struct LockBody<'a> {
    #[schema(value_type = String)]
    name: &'a Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    owner: Option<&'a ExternalId>,
    /// The fencing token of the grant.
    fence: u64,
    /// When it ends, by Redis's clock: RFC 3339 with milliseconds, UTC.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    /// The number of requests that wait for it.
    waiting: u64,
}

impl<'a> LockBody<'a> {
    pub(super) fn new(name: &'a Id, holder: &'a Holder, waiting: u64) -> Self {
        Self {
            name,
            owner: holder.owner.as_ref(),
            fence: holder.fence,
            expires_at: Stamp(holder.expires_at_ms),
            waiting,
        }
    }
}

/// Maps a refusal to an error response.
impl From<LockError> for Problem {
    fn from(error: LockError) -> Self {
        let detail = error.to_string();
        match error {
            LockError::Taken(holder) => naming(
                Self::conflict("lock_taken", "The lock is taken", detail),
                holder.as_ref(),
            ),
            LockError::TimedOut(holder) => naming(Self::lock_wait_timeout(detail), holder.as_ref()),
            LockError::QueueFull | LockError::Closed => Self::unavailable(detail, 1),
            LockError::TokenReused => Self::validation_failed(vec![FieldError::new(
                "token",
                "holds this lock already, for another owner or ttl_ms, or has released it",
            )]),
            LockError::NotHeld => Self::not_found(detail),
            LockError::HeldByOther(holder) => naming(
                Self::conflict("lock_held_by_other", "Another token holds the lock", detail),
                Some(&holder),
            ),
            LockError::Store(error) => error.into(),
        }
    }
}

/// Adds the holder of the lock.
fn naming(problem: Problem, holder: Option<&Holder>) -> Problem {
    let Some(holder) = holder else { return problem };
    let problem = problem
        .with("fence", holder.fence)
        .with("expires_at", Stamp(holder.expires_at_ms).to_string());
    match &holder.owner {
        Some(owner) => problem.with("owner", owner.as_str()),
        None => problem,
    }
}
