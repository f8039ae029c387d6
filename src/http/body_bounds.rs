//! The bounds of request bodies: the memory for large ones, and the refusals.

use super::Problem;
use crate::runtime::{Budget, Room};
use actix_web::error::PayloadError;
use bytes::Bytes;

/// Bodies up to this size take nothing from the memory for bodies, so that they are read regardless of large ones. They are bounded by
/// the number of connections.
pub(super) const SMALL: usize = 64 * 1024;

/// The memory for large bodies; application data.
#[derive(Debug, Clone)]
pub struct Bodies(pub Budget);

/// The share of a body in the memory for bodies: none while it is small.
pub(super) struct Claim<'a> {
    budget: Option<&'a Budget>,
    room: Option<Room>,
}

impl<'a> Claim<'a> {
    pub(super) fn of(bodies: Option<&'a Bodies>) -> Self {
        let budget = bodies.map(|Bodies(budget)| budget);
        Self { budget, room: None }
    }

    /// Claims memory for a body that has `bytes` bytes so far.
    ///
    /// # Errors
    /// 503 if other bodies take all memory.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let Some(budget) = self.budget.filter(|_| bytes > SMALL) else {
            return Ok(());
        };
        let room = self.room.get_or_insert_with(|| budget.room());
        Ok(room.try_take(bytes.saturating_sub(room.bytes()))?)
    }

    /// Returns a body that holds its memory until its last handle is dropped.
    pub(super) fn keep(self, bytes: Bytes) -> Bytes {
        match self.room {
            Some(room) => Bytes::from_owner(Counted { bytes, _room: room }),
            None => bytes,
        }
    }
}

/// A body with its share of the memory for bodies.
struct Counted {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Returns the problem of a body that ends early.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn broken_off(error: PayloadError) -> Problem {
    Problem::malformed(format!("the body ended early; send it again: {error}"))
}

/// Returns the problem of a body beyond its limit.
pub(super) fn too_large(limit: usize) -> Problem {
    Problem::content_too_large(format!("the body may have at most {limit} bytes; send less at once"))
}
