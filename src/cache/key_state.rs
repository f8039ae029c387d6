//! The state of a key in Redis: the entry, read together with the versions that it depends on, and whether it is valid.

use super::entry::{Head, Nonce, Stored, Version};
use super::local::Marks;
use super::model::{Entry, Level, Tag};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// The state of a key when it was read.
#[derive(Debug)]
pub(super) struct KeyState {
    pub found: Found,
    /// The nonce of the entry or mark.
    pub nonce: Option<Nonce>,
    /// The version of the namespace.
    pub namespace: Option<Version>,
    /// The versions of the tags that were requested or found in the entry.
    pub tags: Vec<(Tag, Option<Version>)>,
    /// Redis's clock, ms.
    pub now_ms: u64,
    /// When the read was sent to Redis.
    pub asked: Instant,
    /// The local marks before that.
    pub marks: Marks,
}

#[derive(Debug)]
pub(super) enum Found {
    /// No valid entry.
    Nothing,
    /// A string that is not an entry.
    Corrupt,
    /// An entry, fresh or stale.
    Live(Head, Entry),
}

impl KeyState {
    pub(super) fn version_of(&self, tag: &Tag) -> Option<&Version> {
        let (_, version) = self.tags.iter().find(|(other, _)| other == tag)?;
        version.as_ref()
    }

    /// Returns whether nothing that an entry depends on has been invalidated.
    fn upholds(&self, head: &Head) -> bool {
        let upholds =
            |version: Option<&Version>, nonce| version.is_some_and(|version| version.upholds(nonce, head.made_ms));
        upholds(self.namespace.as_ref(), head.namespace)
            && head
                .tags
                .iter()
                .all(|(tag, nonce)| upholds(self.version_of(tag), *nonce))
    }

    /// Sets what was found, once the versions are known.
    pub(super) fn judge(&mut self, stored: Option<Stored>) {
        self.found = match stored {
            None | Some(Stored::Mark(_)) => Found::Nothing,
            Some(Stored::Corrupt(_)) => Found::Corrupt,
            Some(Stored::Entry(head, value)) => match entry(&head, value, self.now_ms) {
                Some(entry) if self.upholds(&head) => Found::Live(head, entry),
                _ => Found::Nothing,
            },
        };
    }
}

/// Entries whose computation began more than this ahead of Redis's clock were written before the clock was set back.
const BEHIND_MS: u64 = 1_000;

/// Returns an entry as it is at a time. Returns `None` if it has expired, or if the clock was set back since it was made: its age is
/// unknown then, and so is whether an event has outdated it.
fn entry(head: &Head, value: Bytes, now_ms: u64) -> Option<Entry> {
    if head.made_ms > now_ms + BEHIND_MS {
        return None;
    }
    let left = |until_ms: u64| Duration::from_millis(until_ms.saturating_sub(now_ms));
    let entry = Entry {
        bytes: value,
        age: Duration::from_millis(now_ms.saturating_sub(head.made_ms)),
        fresh_for: left(head.fresh_until_ms),
        stale_for: left(head.fresh_until_ms.saturating_add(head.stale_ms.into())),
        error_for: left(head.fresh_until_ms.saturating_add(head.error_ms.into())),
        cost: Duration::from_micros(head.cost_us.into()),
        level: Level::Shared,
    };
    let is_of_use = now_ms < head.fresh_until_ms.saturating_add(head.afterlife_ms());
    is_of_use.then_some(entry)
}
