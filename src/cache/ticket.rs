//! Tickets: the state before a value is computed, so that a change during the computation is detected when the value is stored.

use super::entry::Nonce;
use super::model::Tag;
use std::time::{Duration, Instant};

/// The lifetime of a ticket. The value of a longer computation is not stored.
pub(super) const TICKET_LIFE: Duration = Duration::from_mins(5);

/// The nonce of a key and the versions that its value will depend on, before the value is computed.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(super) nonce: Nonce,
    /// Whether nothing was stored; then the nonce is that of the ticket's own mark.
    pub(super) was_nothing: bool,
    /// Redis's clock, ms.
    pub(super) made_ms: u64,
    /// The time before the call to Redis, and the time of its answer.
    pub(super) taken: Instant,
    pub(super) granted: Instant,
    pub(super) namespace: Nonce,
    pub(super) tags: Vec<(Tag, Nonce)>,
    /// For how long what depends on the versions may live, from when the ticket was taken.
    pub(super) life: Duration,
    pub(super) lease: Option<Nonce>,
}

impl Ticket {
    /// Returns whether the ticket has the version of a tag.
    pub(super) fn has_version_of(&self, tag: &Tag) -> bool {
        self.tags.iter().any(|(other, _)| other == tag)
    }
}
