//! The way to the cache. It fails nobody.

use super::shared::Begun;
use super::stored::Stored;
use super::terms::Terms;
use crate::cache::{self, Cache, CacheError, MAX_TTL, Put, Tag, Ticket};
use crate::ids::Id;
use crate::store::StoreError;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// For how long nobody asks again after Redis has kept somebody waiting for too long.
const REST: Duration = Duration::from_secs(1);

/// Where responses lie: a namespace of the cache.
///
/// Nothing here fails a request. Whatever the cache cannot say within the patience that it is given is a miss.
#[derive(Debug)]
pub struct Shelf {
    cache: Cache,
    namespace: Id,
    patience: Duration,
    /// Until then nobody is kept waiting again. Of this worker alone, as its connection is.
    rests_until: Cell<Option<Instant>>,
}

/// What lies under a key.
#[derive(Debug)]
pub enum Look {
    /// This, which was begun to be made so long ago.
    Found(Stored, Duration),
    /// Nothing, or nothing that can be read.
    Nothing,
    /// Nobody can say, and why.
    Silent(Silence),
}

/// Why nobody can say what lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// There is no connection to Redis.
    Away,
    /// It did not answer in time, or lately did not. It lives, for all that is known, and others may change what lies there.
    Slow,
}

impl Shelf {
    /// The namespace of a cache.
    pub fn new(cache: Cache, namespace: Id, patience: Duration) -> Self {
        Self {
            cache,
            namespace,
            patience,
            rests_until: Cell::new(None),
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &Id {
        &self.namespace
    }

    /// The largest response that it takes, as it is stored, bytes.
    pub fn most(&self) -> usize {
        usize::try_from(self.cache.shared().settings().max_value_bytes).unwrap_or(usize::MAX)
    }

    /// What lies under a key.
    pub async fn look(&self, key: &str, tags: &[Tag]) -> Look {
        let Some(found) = self.patiently(self.cache.lookup(&self.namespace, key, tags)).await else {
            return Look::Silent(Silence::Slow);
        };
        let entry = match found {
            Ok(cache::Lookup::Fresh(entry) | cache::Lookup::Stale(entry)) => entry,
            Ok(cache::Lookup::Miss) | Err(CacheError::Corrupt) => return Look::Nothing,
            Err(error) => {
                tracing::debug!(%error, "a response could not be looked up");
                return match error {
                    CacheError::Store(StoreError::Away) => Look::Silent(Silence::Away),
                    CacheError::Store(_) | CacheError::Busy => Look::Silent(Silence::Slow),
                    // Redis is there; the call was not one that it could be asked.
                    _ => Look::Nothing,
                };
            }
        };
        match Stored::decode(entry.bytes) {
            Some(stored) => Look::Found(stored, entry.age),
            None => Look::Nothing,
        }
    }

    /// To be asked before the handler is: what this process has heard until then of what its answer depends on.
    pub fn begun(&self, key: &str, tags: &[Tag], silence: Option<Silence>) -> Option<Begun> {
        let marks = self.cache.marks(&self.namespace, key, tags)?;
        Some(Begun { marks, silence })
    }

    /// Whether this process has heard of no invalidation since, for one who is met by `silence` now. Unless Redis was and is
    /// away, others may have invalidated what it would have heard of: then it has to have listened all the while.
    pub fn is_untouched(&self, begun: &Begun, silence: Silence) -> bool {
        if (begun.silence, silence) == (Some(Silence::Away), Silence::Away) {
            self.cache.is_untouched(&begun.marks)
        } else {
            self.cache.stands(&begun.marks)
        }
    }

    /// To be taken before the handler is asked: what is invalidated from then on, its answer will not outlive.
    pub async fn ticket(&self, key: &str, tags: &[Tag]) -> Option<Ticket> {
        let ticket = self.patiently(self.cache.ticket(&self.namespace, key, tags)).await?;
        ticket
            .inspect_err(|error| tracing::debug!(%error, "a response will not be stored"))
            .ok()
    }

    /// Stores something for as long as its terms say. `None` if that failed.
    pub async fn put(&self, key: &str, bytes: &[u8], keep: &Keep<'_>, ticket: Ticket) -> Option<cache::Stored> {
        let terms = keep.terms;
        let put = Put {
            ttl: terms.lifetime().clamp(Duration::from_millis(1), MAX_TTL),
            stale_while_revalidate: terms.stale_while_revalidate.min(MAX_TTL),
            stale_if_error: terms.stale_if_error.min(MAX_TTL),
            tags: keep.tags.to_vec(),
            // What clients are told of its end is to be true.
            jitter: 0.0,
            local: keep.local,
        };
        let storing = self.cache.store(&self.namespace, key, bytes, &put, Some(ticket));
        let stored = self.patiently(storing).await;
        // Whatever came of it: a client that wants something newer than what this process has is not to find that again.
        self.cache.forget_here(&self.namespace, key);
        stored?
            .inspect_err(|error| tracing::debug!(%error, "a response was not stored"))
            .ok()
    }

    /// Whether this lies under a key and is valid, by Redis's own word.
    pub async fn holds(&self, key: &str, tags: &[Tag], bytes: &[u8]) -> bool {
        let holds = self.patiently(self.cache.holds(&self.namespace, key, tags, bytes));
        matches!(holds.await, Some(Ok(true)))
    }

    /// Makes everything with these tags of no use. Not hurried: whoever wrote something is not to be told so before.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        self.cache.invalidate(tags).await
    }

    /// What comes of it in time.
    async fn patiently<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        if self.rests_until.get().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let answer = timeout(self.patience, asking).await.ok();
        self.rests_until.set(answer.is_none().then(|| Instant::now() + REST));
        if answer.is_none() {
            // What is not stored can be shared as long as Redis is slow, if invalidations are heard.
            self.cache.want_invalidations();
        }
        answer
    }
}

/// How something is kept.
#[derive(Debug)]
pub struct Keep<'a> {
    /// For how long.
    pub terms: &'a Terms,
    /// What it depends on.
    pub tags: &'a [Tag],
    /// For how long an instance may keep it in its own memory.
    pub local: Duration,
}
