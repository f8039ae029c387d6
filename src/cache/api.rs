use super::commands::{self, Asked, Counted, Written};
use super::entry::{Head, Nonce};
use super::error::CacheError;
use super::local::{Message, Subject};
use super::look::{Found, Look};
use super::model::{Counter, Entry, Hit, Level, Lookup, Name, Put, Remaining, Stored, Tag};
use super::reads::Reads;
use super::shared::Shared;
use crate::config::MAX_TTL;
use crate::ids::Id;
use crate::store::{Link, StoreError};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long what lies under a key is kept for the sake of a ticket: a computation that takes longer is not stored.
pub(super) const TICKET_LIFE: Duration = Duration::from_mins(5);

/// The cache, over a connection; clones are handles to the same. One for a worker.
///
/// ```no_run
/// # async fn example(store: fleetpulse::store::Store) -> Result<(), Box<dyn std::error::Error>> {
/// use fleetpulse::cache::{Cache, Policy, Put, Shared};
/// use fleetpulse::config::CacheSettings;
/// use fleetpulse::ids::Id;
/// use fleetpulse::store::Link;
/// use fleetpulse::telemetry::Metrics;
/// use std::time::Duration;
///
/// let shared = Shared::new(&store, CacheSettings::default(), &Metrics::new()?);
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

/// What lay under a key, and what its value will depend on, before the value is computed.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(super) nonce: Nonce,
    /// Redis's clock, ms.
    pub(super) made_ms: u64,
    pub(super) taken: Instant,
    pub(super) namespace: Nonce,
    pub(super) tags: Vec<(Tag, Nonce)>,
    /// For how long what depends on the versions may live, from when the ticket was taken.
    life: Duration,
    pub(super) lease: Option<Nonce>,
}

/// What came of asking for a ticket.
#[derive(Debug)]
pub(super) enum Ticketing {
    Granted(Ticket),
    /// Somebody else has it, for at most so long.
    Leased(Duration),
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
        let look = self.look(&name, &[]).await;
        self.served(&name, look)
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
        let looks = match self.look_at_all(&asked, &[]).await {
            Ok(looks) => looks,
            Err(error) => {
                self.note_error(namespace, asked.len());
                return Err(error);
            }
        };
        for (index, look) in missing.into_iter().zip(looks) {
            found[index] = self.served(&names[index], Ok(look));
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
        let look = self.counted(&name, self.look(&name, tags).await)?;
        self.keep(&name, &look);
        match look.found {
            Found::Live(_, entry) if entry.is_fresh() => Ok(Lookup::Fresh(entry)),
            Found::Live(_, entry) => Ok(Lookup::Stale(entry)),
            Found::Nothing => Ok(Lookup::Miss),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    /// To be taken before a value is computed: [`Self::store`] then writes the value only if the key was neither written nor
    /// deleted meanwhile, and readers take it only for as long as nothing that it depends on was invalidated since. Good
    /// for five minutes.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`], [`CacheError::TooManyTags`].
    pub async fn ticket(&self, namespace: &Id, key: &str, tags: &[Tag]) -> Result<Ticket, CacheError> {
        let name = Name::new(namespace, key)?;
        match self.ticket_for(&name, tags, TICKET_LIFE, None).await? {
            Ticketing::Granted(ticket) => Ok(ticket),
            // Not asked for.
            Ticketing::Leased(_) => Err(CacheError::Busy),
        }
    }

    pub(super) async fn ticket_for(
        &self,
        name: &Name<'_>,
        tags: &[Tag],
        life: Duration,
        lease: Option<Duration>,
    ) -> Result<Ticketing, CacheError> {
        if tags.len() > super::MAX_TAGS {
            return Err(CacheError::TooManyTags);
        }
        let (taken, life) = (Instant::now(), life + TICKET_LIFE);
        let lease = lease.map(|lasting| (Nonce::random(), lasting));
        let keys = self.version_keys(name.namespace, tags);
        let (asked, versions) = tokio::try_join!(
            commands::ticket(self.link(), name, TICKET_LIFE, lease),
            commands::versions(self.link(), &keys, life),
        )?;
        let (nonce, now_ms) = match asked {
            Asked::Granted(nonce, now_ms) => (nonce, now_ms),
            Asked::Leased(left) => return Ok(Ticketing::Leased(left)),
        };
        let mut nonces = versions.all.iter().map(|version| version.nonce);
        let namespace = nonces.next().ok_or(CacheError::Busy)?;
        Ok(Ticketing::Granted(Ticket {
            nonce,
            made_ms: now_ms.min(versions.now_ms),
            taken,
            namespace,
            tags: tags.iter().cloned().zip(nonces).collect(),
            life,
            lease: lease.map(|(token, _)| token),
        }))
    }

    /// Writes a value: with a ticket as that has it; without one whatever lies there, as of now.
    ///
    /// A tag that the ticket does not have has to have been there before the ticket was taken, because nobody knows else whether
    /// it was invalidated meanwhile; the value is superseded if not, and the next one with the tag is not.
    ///
    /// # Errors
    /// [`CacheError::TooBig`], [`CacheError::Ttl`], [`CacheError::TooManyTags`], [`CacheError::Key`]: nothing is stored.
    /// [`CacheError::Store`].
    pub async fn store(
        &self,
        namespace: &Id,
        key: &str,
        bytes: &[u8],
        put: &Put,
        ticket: Option<Ticket>,
    ) -> Result<Stored, CacheError> {
        let name = Name::new(namespace, key)?;
        let checked = put.check().and_then(|()| self.check_size(bytes.len()));
        match (checked, ticket) {
            (Ok(()), None) => {
                self.put_all(&[name], &[bytes], put).await?;
                Ok(Stored::Stored)
            }
            (Ok(()), Some(ticket)) => self.store_with(&name, bytes, put, &ticket).await,
            (Err(error), ticket) => {
                if let Some(ticket) = ticket {
                    self.give_up(&name, &ticket).await;
                }
                Err(error)
            }
        }
    }

    async fn store_with(
        &self,
        name: &Name<'_>,
        bytes: &[u8],
        put: &Put,
        ticket: &Ticket,
    ) -> Result<Stored, CacheError> {
        let cost = ticket.taken.elapsed();
        let stored = match self.depending(name, put, ticket).await {
            Ok(Some(tags)) => {
                let now_ms = ticket.made_ms.saturating_add(millis(ticket.taken.elapsed()));
                let head = head(put, now_ms, ticket.made_ms, cost, ticket.namespace, tags);
                let written = Written::new(&head, bytes, now_ms);
                Ok(commands::store(self.link(), name, ticket.nonce, &written, ticket.lease).await?)
            }
            Ok(None) => Ok(Stored::Superseded),
            Err(error) => Err(error),
        };
        let counts = self.shared().namespaces.of(name.namespace);
        match stored {
            Ok(Stored::Stored) => {
                counts.stored.add(1);
                counts.stored_bytes.add(bytes.len() as u64);
            }
            Ok(Stored::Superseded) => {
                counts.superseded.add(1);
                self.give_up(name, ticket).await;
            }
            Err(_) => self.give_up(name, ticket).await,
        }
        stored
    }

    /// The versions of the tags of a computed value, as they were before it was computed; `None` if they are not, or nobody
    /// knows.
    async fn depending(
        &self,
        name: &Name<'_>,
        put: &Put,
        ticket: &Ticket,
    ) -> Result<Option<Vec<(Tag, Nonce)>>, CacheError> {
        let known = |tag: &Tag| {
            ticket
                .tags
                .iter()
                .find(|(other, _)| other == tag)
                .map(|(_, nonce)| *nonce)
        };
        let lives_on = ticket.taken.elapsed() + put.life() <= ticket.life;
        if lives_on && put.tags.iter().all(|tag| known(tag).is_some()) {
            let tags = put.tags.iter().map(|tag| Some((tag.clone(), known(tag)?)));
            return Ok(tags.collect());
        }
        let keys = self.version_keys(name.namespace, &put.tags);
        let versions = commands::versions(self.link(), &keys, put.life()).await?.all;
        let Some((namespace, of_tags)) = versions.split_first() else {
            return Ok(None);
        };
        if namespace.nonce != ticket.namespace {
            return Ok(None);
        }
        let tags = put.tags.iter().zip(of_tags).map(|(tag, version)| {
            let is_upheld = match known(tag) {
                Some(nonce) => nonce == version.nonce,
                None => version.born_ms < ticket.made_ms,
            };
            is_upheld.then(|| (tag.clone(), version.nonce))
        });
        Ok(tags.collect())
    }

    /// Ends the lease of a ticket whose value is not stored, if it has one.
    pub(super) async fn give_up(&self, name: &Name<'_>, ticket: &Ticket) {
        if let Some(token) = ticket.lease
            && let Err(error) = commands::give_up(self.link(), name, token).await
        {
            tracing::debug!(%error, "a lease of the cache is left to end by itself");
        }
    }

    /// Writes a value, whatever lies there.
    ///
    /// # Errors
    /// As [`Self::store`], and [`CacheError::NotJson`].
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        namespace: &Id,
        key: &str,
        value: &T,
        put: &Put,
    ) -> Result<(), CacheError> {
        let bytes = json(value)?;
        self.store(namespace, key, &bytes, put, None).await.map(drop)
    }

    /// Writes values under keys of a namespace, whatever lies there; those of a partition together.
    ///
    /// # Errors
    /// As [`Self::set`]: nothing is stored. After [`CacheError::Store`] some of them may be.
    pub async fn set_many<T: Serialize>(
        &self,
        namespace: &Id,
        values: &[(&str, T)],
        put: &Put,
    ) -> Result<(), CacheError> {
        let names = values.iter().map(|(key, _)| Name::new(namespace, key));
        let names: Vec<Name<'_>> = names.collect::<Result<_, _>>()?;
        let bytes: Vec<Vec<u8>> = values.iter().map(|(_, value)| json(value)).collect::<Result<_, _>>()?;
        put.check()?;
        for bytes in &bytes {
            self.check_size(bytes.len())?;
        }
        let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        self.put_all(&names, &bytes, put).await
    }

    async fn put_all(&self, names: &[Name<'_>], values: &[&[u8]], put: &Put) -> Result<(), CacheError> {
        let Some(first) = names.first() else { return Ok(()) };
        let asked = Instant::now();
        let version_keys = self.version_keys(first.namespace, &put.tags);
        let versions = commands::versions(self.link(), &version_keys, put.life() + TICKET_LIFE).await?;
        let mut nonces = versions.all.iter().map(|version| version.nonce);
        let namespace = nonces.next().ok_or(CacheError::Busy)?;
        let tags: Vec<_> = put.tags.iter().cloned().zip(nonces).collect();
        let now_ms = versions.now_ms.saturating_add(millis(asked.elapsed()));
        let written = values.iter().map(|value| {
            let head = head(put, now_ms, versions.now_ms, Duration::ZERO, namespace, tags.clone());
            Written::new(&head, value, now_ms)
        });
        let written: Vec<_> = written.collect();
        let keys = self.link().store().keys();
        let keys: Vec<_> = names
            .iter()
            .map(|name| keys.cache_entry(name.namespace, name.key))
            .collect();
        let message = Message::of(names.iter().map(|name| name.subject));
        let answer = commands::put(self.link(), &keys, &written, &message).await;
        // Whatever came of it: nobody knows after a lost answer.
        self.shared().local.hear(message.bytes());
        answer?;
        let counts = self.shared().namespaces.of(first.namespace);
        counts.stored.add(names.len() as u64);
        counts
            .stored_bytes
            .add(values.iter().map(|value| value.len() as u64).sum());
        Ok(())
    }

    /// Deletes what is under a key. A value whose computation is under way is not stored any more.
    ///
    /// # Errors
    /// [`CacheError::Store`], [`CacheError::Key`].
    pub async fn delete(&self, namespace: &Id, key: &str) -> Result<(), CacheError> {
        self.delete_many(namespace, &[key]).await
    }

    /// The same for many keys of a namespace; those of a partition together.
    ///
    /// # Errors
    /// As [`Self::delete`]; some of them may be deleted.
    pub async fn delete_many(&self, namespace: &Id, keys: &[&str]) -> Result<(), CacheError> {
        let names = keys.iter().map(|key| Name::new(namespace, key));
        let names: Vec<Name<'_>> = names.collect::<Result<_, _>>()?;
        let message = Message::of(names.iter().map(|name| name.subject));
        let keys = self.link().store().keys();
        let keys: Vec<_> = names
            .iter()
            .map(|name| keys.cache_entry(name.namespace, name.key))
            .collect();
        let answer = commands::drop_all(self.link(), &keys, &message).await;
        self.forget(&message, answer).map(drop)
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
        match self.look(&name, &[]).await?.found {
            Found::Live(_, entry) if !entry.stale_for.is_zero() => Ok(Some(Remaining {
                fresh_for: entry.fresh_for,
                ends_in: entry.stale_for,
            })),
            Found::Live(..) | Found::Nothing => Ok(None),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    /// Lets the value under a key be fresh for `ttl` from now on. Returns whether there is one.
    ///
    /// # Errors
    /// As [`Self::get`], and [`CacheError::Ttl`].
    pub async fn touch(&self, namespace: &Id, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        Put::fresh_for(ttl).check()?;
        let name = Name::new(namespace, key)?;
        let look = self.look(&name, &[]).await?;
        let head = match look.found {
            Found::Live(head, entry) if !entry.stale_for.is_zero() => head,
            Found::Live(..) | Found::Nothing => return Ok(false),
            Found::Corrupt => return Err(CacheError::Corrupt),
        };
        let life = ttl + Duration::from_millis(head.afterlife_ms());
        let tags: Vec<Tag> = head.tags.iter().map(|(tag, _)| tag.clone()).collect();
        let keys = self.version_keys(namespace, &tags);
        let versions = commands::versions(self.link(), &keys, life + TICKET_LIFE).await?;
        let fresh_until_ms = versions.now_ms.saturating_add(millis(ttl));
        let answer = commands::touch(self.link(), &name, head.nonce, fresh_until_ms, life).await;
        self.shared().local.hear(Message::of([name.subject]).bytes());
        Ok(answer?)
    }

    /// Invalidates everything in a namespace, by one write.
    ///
    /// # Errors
    /// [`CacheError::Store`].
    pub async fn clear(&self, namespace: &Id) -> Result<(), CacheError> {
        let key = self.link().store().keys().cache_namespace(namespace);
        let message = Message::of([Subject::namespace(namespace)]);
        let answer = commands::drop_all(self.link(), &[key], &message).await;
        self.forget(&message, answer).map(drop)
    }

    /// Invalidates everything with one of these tags, by one write for each tag.
    ///
    /// # Errors
    /// [`CacheError::Store`]; some of them may be invalidated.
    pub async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        let keys = self.link().store().keys();
        let keys: Vec<_> = tags.iter().map(|tag| keys.cache_tag(tag)).collect();
        let message = Message::of(tags.iter().map(Subject::tag));
        let answer = commands::drop_all(self.link(), &keys, &message).await;
        self.forget(&message, answer).map(drop)
    }

    /// Whatever came of an invalidation, this process forgets at once: nobody knows after a lost answer.
    pub(super) fn forget<T>(&self, message: &Message, answer: Result<T, StoreError>) -> Result<T, CacheError> {
        self.shared().local.hear(message.bytes());
        self.shared().counted.invalidations.inc();
        Ok(answer?)
    }

    /// Adds to a counter, which begins at 0 and ends `ttl` after it began, however it is used meanwhile.
    ///
    /// # Errors
    /// [`CacheError::CounterRange`], [`CacheError::NoCounter`], [`CacheError::Ttl`], [`CacheError::Key`]: it is as it was.
    /// [`CacheError::Store`]: it may have been counted, and counting again may count twice.
    pub async fn incr(&self, namespace: &Id, name: &str, by: i64, ttl: Duration) -> Result<Counter, CacheError> {
        Name::new(namespace, name)?;
        Put::fresh_for(ttl).check()?;
        let key = self.link().store().keys().cache_counter(namespace, name);
        match commands::count(self.link(), &key, by, ttl).await? {
            Counted::At(value, ends_in) => Ok(Counter { value, ends_in }),
            Counted::Range => Err(CacheError::CounterRange),
            Counted::NoCounter => Err(CacheError::NoCounter),
        }
    }

    /// What a counter stands at; `None` if there is none.
    ///
    /// # Errors
    /// [`CacheError::NoCounter`], [`CacheError::Key`], [`CacheError::Store`].
    pub async fn counter(&self, namespace: &Id, name: &str) -> Result<Option<Counter>, CacheError> {
        Name::new(namespace, name)?;
        let key = self.link().store().keys().cache_counter(namespace, name);
        let mut both = redis::pipe();
        both.cmd("MGET").arg(&key.name).cmd("PTTL").arg(&key.name);
        let ((value,), ends_ms): ((Option<String>,), i64) = self.link().pipeline(&both).await?;
        let Some(value) = value else { return Ok(None) };
        let value = value.parse().map_err(|_unspecific| CacheError::NoCounter)?;
        let ends_in = Duration::from_millis(u64::try_from(ends_ms).unwrap_or(0));
        Ok(Some(Counter { value, ends_in }))
    }

    /// Ends a counter.
    ///
    /// # Errors
    /// [`CacheError::Key`], [`CacheError::Store`].
    pub async fn delete_counter(&self, namespace: &Id, name: &str) -> Result<(), CacheError> {
        Name::new(namespace, name)?;
        let key = self.link().store().keys().cache_counter(namespace, name);
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(key.name);
        Ok(self.link().query::<u64>(&unlink).await.map(drop)?)
    }

    fn version_keys(&self, namespace: &Id, tags: &[Tag]) -> Vec<crate::store::Placed> {
        let keys = self.link().store().keys();
        let tags = tags.iter().map(|tag| keys.cache_tag(tag));
        [keys.cache_namespace(namespace)].into_iter().chain(tags).collect()
    }

    fn check_size(&self, bytes: usize) -> Result<(), CacheError> {
        let most = usize::try_from(self.shared().settings().max_value_bytes).unwrap_or(usize::MAX);
        if bytes > most {
            return Err(CacheError::TooBig { bytes, most });
        }
        Ok(())
    }

    /// The entry of a name in this process.
    #[inline]
    pub(super) fn local(&self, name: &Name<'_>) -> Option<Entry> {
        let entry = self.shared().local.get(name)?;
        self.shared().counted.local.inc();
        Some(entry)
    }

    /// What is served of a look, and counted.
    fn served(&self, name: &Name<'_>, look: Result<Look, CacheError>) -> Result<Option<Entry>, CacheError> {
        let look = self.counted(name, look)?;
        self.keep(name, &look);
        match look.found {
            Found::Live(_, entry) if !entry.stale_for.is_zero() => Ok(Some(entry)),
            Found::Live(..) | Found::Nothing => Ok(None),
            Found::Corrupt => Err(CacheError::Corrupt),
        }
    }

    /// Counts what a look came to.
    pub(super) fn counted(&self, name: &Name<'_>, look: Result<Look, CacheError>) -> Result<Look, CacheError> {
        let counts = self.shared().namespaces.of(name.namespace);
        let counted = &self.shared().counted;
        let look = match look {
            Ok(look) => look,
            Err(error) => {
                self.note_error(name.namespace, 1);
                return Err(error);
            }
        };
        match &look.found {
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
        Ok(look)
    }

    fn note_error(&self, namespace: &Id, times: usize) {
        self.shared().namespaces.of(namespace).errors.add(times as u64);
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

/// An entry that is stored at `now_ms`, ms of Redis's clock.
fn head(put: &Put, now_ms: u64, made_ms: u64, cost: Duration, namespace: Nonce, tags: Vec<(Tag, Nonce)>) -> Head {
    let ms = |duration: Duration| u32::try_from(duration.min(MAX_TTL).as_millis()).unwrap_or(u32::MAX);
    Head {
        nonce: Nonce::random(),
        made_ms,
        fresh_until_ms: now_ms.saturating_add(millis(put.drawn_ttl())),
        stale_ms: ms(put.stale_while_revalidate),
        error_ms: ms(put.stale_if_error),
        cost_us: u32::try_from(cost.as_micros()).unwrap_or(u32::MAX),
        local_ms: ms(put.local),
        namespace,
        tags,
    }
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CacheError> {
    serde_json::to_vec(value).map_err(|error| CacheError::NotJson(error.to_string()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Entry {
    /// An entry just computed.
    pub(super) fn computed(bytes: Bytes, put: &Put, cost: Duration) -> Self {
        Self {
            bytes,
            age: cost,
            fresh_for: put.ttl,
            stale_for: put.ttl + put.stale_while_revalidate,
            error_for: put.ttl + put.stale_if_error,
            cost,
            level: Level::Shared,
        }
    }
}
