//! Reads keys from the memory of this process and from Redis, and counts the reads.

use super::Cache;
use super::entry::{Stored, Version};
use super::error::CacheError;
use super::key_state::{Found, KeyState};
use super::keys::Placed;
use super::model::{Entry, Name, Tag};
use crate::ids::Id;
use bytes::Bytes;
use hashbrown::HashMap;
use std::slice;
use std::time::Duration;

impl Cache {
    /// Returns the entry of a name in the memory of this process.
    #[inline]
    pub(super) fn local(&self, name: &Name<'_>) -> Option<Entry> {
        let entry = self.shared().local.get(name)?;
        self.shared().counted.local.inc();
        Some(entry)
    }

    /// Reads one key, with the versions of `tags`. The versions of other tags of the entry are read in a second round trip.
    pub(super) async fn read_key(&self, name: &Name<'_>, tags: &[Tag]) -> Result<KeyState, CacheError> {
        let mut states = self.read_keys(slice::from_ref(name), tags).await?;
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

    /// Counts a read by what was found.
    pub(super) fn counted(&self, name: &Name<'_>, state: Result<KeyState, CacheError>) -> Result<KeyState, CacheError> {
        let counted = &self.shared().counted;
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                self.note_error(name.namespace, 1);
                return Err(error);
            }
        };
        let namespaces = &self.shared().namespaces;
        let counts = match &state.found {
            Found::Live(..) => namespaces.of(name.namespace),
            Found::Nothing | Found::Corrupt => namespaces.if_named(name.namespace),
        };
        match &state.found {
            Found::Live(_, entry) if entry.is_fresh() => {
                counts.shared_hits.add(1);
                counts.shared_served.add(entry.bytes.len() as u64);
                counted.shared.inc();
            }
            Found::Live(_, entry) if !entry.stale_for.is_zero() => {
                counts.stale.add(1);
                counts.shared_served.add(entry.bytes.len() as u64);
                counted.stale.inc();
            }
            Found::Live(..) | Found::Nothing => {
                counts.misses.add(1);
                counted.miss.inc();
            }
            Found::Corrupt => {
                counts.corrupt.add(1);
                counted.corrupt.inc();
            }
        }
        Ok(state)
    }

    /// Counts reads that failed.
    pub(super) fn note_error(&self, namespace: &Id, times: usize) {
        self.shared().namespaces.if_named(namespace).errors.add(times as u64);
        self.shared().counted.error.inc_by(times as u64);
    }
}
