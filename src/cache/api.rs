//! The cache as others use it, and how it finds what lies there.

use super::error::CacheError;
use super::key_state::{Found, KeyState};
use super::model::{Entry, Hit, Lookup, Name, Remaining, Tag};
use super::reads::Reads;
use super::shared::Shared;
use crate::ids::Id;
use crate::store::Link;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The cache, over a connection; clones are handles to the same. One for a worker.
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
///         Ok::<u64, std::io::Error>(1_999) // in truth from somewhere slow
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
    /// A cache over a connection, with what the whole process shares. Its reads are sent by a task of the current runtime.
    #[must_use]
    pub fn new(link: Link, shared: Arc<Shared>) -> Self {
        let reads = Reads::start(&link);
        Self(Arc::new(Inner { link, shared, reads }))
    }

    /// What the whole process shares.
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

    /// The value under a key, fresh or stale but allowed to be served; `None` if there is none. A `null` is a value.
    ///
    /// # Errors
    /// [`CacheError::Corrupt`] if what is stored is no entry or no `T`; [`CacheError::Store`] if nobody knows.
    pub async fn get<T: DeserializeOwned>(&self, namespace: &Id, key: &str) -> Result<Option<Hit<T>>, CacheError> {
        let found = self.get_bytes(namespace, key).await?;
        found.map(|entry| self.typed(namespace, &entry)).transpose()
    }

    /// The same as bytes.
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

    /// The values under keys of a namespace, each as [`Self::get`] has it, in order.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`]: none is known.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        namespace: &Id,
        keys: &[&str],
    ) -> Result<Vec<Result<Option<Hit<T>>, CacheError>>, CacheError> {
        let entries = self.get_many_bytes(namespace, keys).await?;
        let typed = |entry: Result<Option<Entry>, _>| entry?.map(|entry| self.typed(namespace, &entry)).transpose();
        Ok(entries.into_iter().map(typed).collect())
    }

    /// The same as bytes.
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

    /// What lies under a key, for those who decide for themselves what to serve. The versions of `tags` are read at once with
    /// the entry; those that it has beside these cost a second round.
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

    /// Whether there is a value under a key that [`Self::get`] would give.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn exists(&self, namespace: &Id, key: &str) -> Result<bool, CacheError> {
        Ok(self.ttl(namespace, key).await?.is_some())
    }

    /// For how long the value under a key lives; `None` if there is none.
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

    /// The entry of a name in this process.
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
