//! The Rust API of the cache: reads.

use super::error::CacheError;
use super::key_state::{Found, KeyState};
use super::model::{Entry, Hit, Lookup, Name, Remaining, Tag};
use super::reads::Reads;
use super::shared::Shared;
use crate::ids::Id;
use crate::store::Link;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The cache of a worker. Clones share the connection.
///
/// ```no_run
/// # async fn example(store: fleetpulse::store::Store) -> Result<(), Box<dyn std::error::Error>> {
/// use fleetpulse::cache::{Cache, CacheMetrics, CacheSettings, Policy, Put, Shared};
/// use fleetpulse::ids::Id;
/// use fleetpulse::store::Link;
/// use fleetpulse::telemetry::MetricsRegistry;
/// use std::time::Duration;
///
/// let metrics = CacheMetrics::register(&MetricsRegistry::default())?;
/// let shared = Shared::new(&store, CacheSettings::default(), &metrics);
/// let cache = Cache::new(Link::open(&store), shared);
/// let prices = Id::parse("prices")?;
/// let put = Put::fresh_for(Duration::from_mins(5)).tagged([Id::parse("product:7")?]);
/// let price = cache
///     .get_or_compute(&prices, "7/eur", &Policy::new(put), || async {
///         Ok::<u64, std::io::Error>(1_999) // usually from a slow source
///     })
///     .await?;
/// assert_eq!(price.value, 1_999);
/// cache.invalidate(&[Id::parse("product:7")?]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    shared: Arc<Shared>,
    reads: Reads,
}

impl Cache {
    /// Creates a cache over a connection. A task of the current runtime sends its reads.
    #[must_use]
    pub fn new(link: Link, shared: Arc<Shared>) -> Self {
        let reads = Reads::start(&link);
        Self(Arc::new(Inner { link, shared, reads }))
    }

    /// The state that all workers of the process share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.0.reads
    }

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

    /// Returns the entry of a name in the memory of this process.
    #[inline]
    pub(super) fn local(&self, name: &Name<'_>) -> Option<Entry> {
        let entry = self.shared().local.get(name)?;
        self.shared().counted.local.inc();
        Some(entry)
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

    fn note_error(&self, namespace: &Id, times: usize) {
        self.shared().namespaces.if_named(namespace).errors.add(times as u64);
        self.shared().counted.error.inc_by(times as u64);
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
