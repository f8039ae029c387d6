//! The state of a key in Redis: the entry, read together with the versions that it depends on, and whether it is valid.

use super::Cache;
use super::entry::{Head, Nonce, Stored, Version};
use super::error::CacheError;
use super::keys::Placed;
use super::local::Marks;
use super::model::{Entry, Level, Name, Tag};
use bytes::Bytes;
use hashbrown::HashMap;
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
    fn judge(&mut self, stored: Option<Stored>) {
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

impl Cache {
    /// Reads one key, with the versions of `tags`. The versions of other tags of the entry are read in a second round trip.
    pub(super) async fn read_key(&self, name: &Name<'_>, tags: &[Tag]) -> Result<KeyState, CacheError> {
        let mut states = self.read_keys(std::slice::from_ref(name), tags).await?;
        states.pop().ok_or(CacheError::Busy)
    }

    /// Reads many keys at once, as [`Self::read_key`] does.
    pub(super) async fn read_keys(&self, names: &[Name<'_>], tags: &[Tag]) -> Result<Vec<KeyState>, CacheError> {
        let (keys, local) = (self.link().store().keys(), &self.shared().local);
        let marks: Vec<_> = names.iter().map(|name| local.marks(name, tags)).collect();
        let mut asked: Vec<Placed> = Vec::with_capacity(2 * names.len() + tags.len());
        for name in names {
            asked.push(keys.cache_entry(name.namespace, name.key));
            asked.push(keys.cache_namespace(name.namespace));
        }
        asked.extend(tags.iter().map(|tag| keys.cache_tag(tag)));
        let answer = self.reads().get(asked).await?;
        let version = |value: &Option<Bytes>| value.as_deref().and_then(Version::decode);
        let (of_names, of_tags) = answer.values.split_at(2 * names.len());
        let known: Vec<_> = tags.iter().cloned().zip(of_tags.iter().map(version)).collect();
        let mut states = Vec::with_capacity(names.len());
        let mut stored = Vec::with_capacity(names.len());
        // The tags of all entries whose versions are not read yet, with their indexes in `of_unknown`. A map, because there may be
        // thousands.
        let mut unknown: HashMap<Tag, usize> = HashMap::new();
        let mut of_unknown: Vec<Placed> = Vec::new();
        for (values, mut marks) in of_names.chunks_exact(2).zip(marks) {
            let found = values[0].as_ref().map(Stored::decode);
            if let Some(Stored::Entry(head, _)) = &found {
                for (tag, _) in head.tags.iter().filter(|(tag, _)| !tags.contains(tag)) {
                    // Before its version is read.
                    local.add(&mut marks, [tag]);
                    if !unknown.contains_key(tag) {
                        unknown.insert(tag.clone(), of_unknown.len());
                        of_unknown.push(keys.cache_tag(tag));
                    }
                }
            }
            states.push(KeyState {
                found: Found::Nothing,
                nonce: found.as_ref().and_then(Stored::nonce),
                namespace: version(&values[1]),
                tags: known.clone(),
                now_ms: answer.now_ms,
                asked: answer.asked,
                marks,
            });
            stored.push(found);
        }
        if !unknown.is_empty() {
            let versions = self.reads().get(of_unknown).await?.values;
            for (state, found) in states.iter_mut().zip(&stored) {
                if let Some(Stored::Entry(head, _)) = found {
                    let of_entry = head.tags.iter().filter_map(|(tag, _)| {
                        let &place = unknown.get(tag)?;
                        Some((tag.clone(), versions.get(place).and_then(version)))
                    });
                    state.tags.extend(of_entry);
                }
            }
        }
        for (state, found) in states.iter_mut().zip(stored) {
            state.judge(found);
        }
        Ok(states)
    }

    /// Keeps a fresh entry in this process, if its writer allows that.
    pub(super) fn keep(&self, name: &Name<'_>, state: &KeyState) {
        if let Found::Live(head, entry) = &state.found
            && head.local_ms > 0
        {
            let counts = self.shared().namespaces.of(name.namespace);
            let wanted = Duration::from_millis(head.local_ms.into());
            let local = &self.shared().local;
            local.keep(name, entry, state.asked, wanted, state.marks.clone(), &counts);
        }
    }
}
