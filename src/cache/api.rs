//! The Rust API of the cache: reads.

use super::Cache;
use super::error::CacheError;
use super::key_state::{Found, KeyState};
use super::model::{Entry, Hit, Lookup, Name, Remaining, Tag};
use crate::ids::Id;
use serde::de::DeserializeOwned;

impl Cache {
    /// Returns the value of a key, fresh, or stale and allowed to be served; `None` if there is none. A `null` is a value.
    ///
    /// # Errors
    /// [`CacheError::Corrupt`] if what is stored is not an entry or not a `T`; [`CacheError::Store`] if that is unknown.
    pub async fn get<T: DeserializeOwned>(&self, namespace: &Id, key: &str) -> Result<Option<Hit<T>>, CacheError> {
        let found = self.get_bytes(namespace, key).await?;
        found.map(|entry| self.typed(namespace, &entry)).transpose()
    }

    /// Returns the bytes of a key, as [`Self::get`] does.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_bytes(&self, namespace: &Id, key: &str) -> Result<Option<Entry>, CacheError> {
        let name = Name::new(namespace, key)?;
        if let Some(entry) = self.local(&name) {
            return Ok(Some(entry));
        }
        let state = self.read_key(&name, &[]).await;
        self.served(&name, state)
    }

    /// Returns the values of keys of a namespace, in their order, each as [`Self::get`] does.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`]: nothing was read.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        namespace: &Id,
        keys: &[&str],
    ) -> Result<Vec<Result<Option<Hit<T>>, CacheError>>, CacheError> {
        let entries = self.get_many_bytes(namespace, keys).await?;
        let typed = |entry: Result<Option<Entry>, _>| entry?.map(|entry| self.typed(namespace, &entry)).transpose();
        Ok(entries.into_iter().map(typed).collect())
    }

    /// Returns the bytes of keys, as [`Self::get_many`] does.
    ///
    /// # Errors
    /// As [`Self::get_many`].
    pub async fn get_many_bytes(
        &self,
        namespace: &Id,
        keys: &[&str],
    ) -> Result<Vec<Result<Option<Entry>, CacheError>>, CacheError> {
        let names = keys.iter().map(|key| Name::new(namespace, key));
        let names: Vec<Name<'_>> = names.collect::<Result<_, _>>()?;
        let mut found: Vec<_> = names.iter().map(|name| Ok(self.local(name))).collect();
        let absent = |entry: &Result<Option<Entry>, CacheError>| matches!(entry, Ok(None));
        let missing: Vec<usize> = (0..names.len()).filter(|&index| absent(&found[index])).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let asked: Vec<_> = missing.iter().map(|&index| names[index]).collect();
        let states = match self.read_keys(&asked, &[]).await {
            Ok(states) => states,
            Err(error) => {
                self.note_error(namespace, asked.len());
                return Err(error);
            }
        };
        for (index, state) in missing.into_iter().zip(states) {
            found[index] = self.served(&names[index], Ok(state));
        }
        Ok(found)
    }

    /// Looks up a key, for callers that decide themselves whether a stale entry may be served. The versions of `tags` are read together
    /// with the entry; other tags of the entry take a second round trip.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn lookup(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Result<Lookup, CacheError> {
        let name = Name::new(namespace, key)?;
        if let Some(entry) = self.local(&name) {
            return Ok(Lookup::Fresh(entry));
        }
        let state = self.counted(&name, self.read_key(&name, tags).await)?;
        self.keep(&name, &state);
        match state.found {
            Found::Live(_, entry) if entry.is_fresh() => Ok(Lookup::Fresh(entry)),
            Found::Live(_, entry) => Ok(Lookup::Stale(entry)),
            Found::Nothing => Ok(Lookup::Miss),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    /// Returns whether [`Self::get`] would return a value.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn exists(&self, namespace: &Id, key: &str) -> Result<bool, CacheError> {
        Ok(self.ttl(namespace, key).await?.is_some())
    }

    /// Returns the remaining TTL of a key; `None` if there is no value.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn ttl(&self, namespace: &Id, key: &str) -> Result<Option<Remaining>, CacheError> {
        let name = Name::new(namespace, key)?;
        match self.read_key(&name, &[]).await?.found {
            Found::Live(_, entry) if !entry.stale_for.is_zero() => Ok(Some(Remaining {
                fresh_for: entry.fresh_for,
                ends_in: entry.stale_for,
            })),
            Found::Live(..) | Found::Nothing => Ok(None),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    /// Returns the entry that may be served, and counts the read.
    fn served(&self, name: &Name<'_>, state: Result<KeyState, CacheError>) -> Result<Option<Entry>, CacheError> {
        let state = self.counted(name, state)?;
        self.keep(name, &state);
        match state.found {
            Found::Live(_, entry) if !entry.stale_for.is_zero() => Ok(Some(entry)),
            Found::Live(..) | Found::Nothing => Ok(None),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    fn typed<T: DeserializeOwned>(&self, namespace: &Id, entry: &Entry) -> Result<Hit<T>, CacheError> {
        let value = serde_json::from_slice(&entry.bytes).map_err(|_unspecific| {
            self.shared().namespaces.of(namespace).corrupt.add(1);
            self.shared().counted.corrupt.inc();
            CacheError::Corrupt
        })?;
        Ok(Hit {
            value,
            age: entry.age,
            fresh_for: entry.fresh_for,
            level: entry.level,
        })
    }
}
