//! Access to the cache. No failure of the cache fails a request.

use super::fault::StoreFault;
use super::policy::CachePolicy;
use super::shared::Baseline;
use super::stored::Stored;
use crate::cache::{self, Cache, CacheError, MAX_TTL, Put, Tag, Ticket};
use crate::ids::Id;
use crate::store::StoreError;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The back-off of a worker after a timeout of Redis.
const BACK_OFF: Duration = Duration::from_secs(1);

/// The responses that are stored in a namespace of the cache.
///
/// An error of the cache, or a timeout, counts as a miss.
#[derive(Debug)]
pub struct ResponseStore {
    cache: Cache,
    namespace: Id,
    timeout: Duration,
    /// The end of the back-off after a timeout. Per worker, as the connection is.
    backs_off_until: Cell<Option<Instant>>,
}

/// What is stored under a key.
#[derive(Debug)]
pub enum Lookup {
    /// Something, and how long ago its computation began.
    Found(Stored, Duration),
    /// Nothing, or nothing that can be decoded.
    Miss,
    /// Unknown, for this reason.
    Unavailable(StoreFault),
}

impl ResponseStore {
    /// Opens the namespace of a cache. No call takes longer than `timeout`, except [`Self::invalidate`].
    pub fn new(cache: Cache, namespace: Id, timeout: Duration) -> Self {
        Self {
            cache,
            namespace,
            timeout,
            backs_off_until: Cell::new(None),
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &Id {
        &self.namespace
    }

    /// Returns the maximum size of an encoded response, in bytes.
    pub fn max_size(&self) -> usize {
        usize::try_from(self.cache.shared().settings().max_value_bytes).unwrap_or(usize::MAX)
    }

    /// Looks up a key.
    pub async fn lookup(&self, key: &str, tags: &[Tag]) -> Lookup {
        let Some(found) = self.in_time(self.cache.lookup(&self.namespace, key, tags)).await else {
            return Lookup::Unavailable(StoreFault::Slow);
        };
        let entry = match found {
            Ok(cache::Lookup::Fresh(entry) | cache::Lookup::Stale(entry)) => entry,
            Ok(cache::Lookup::Miss) | Err(CacheError::Corrupt) => return Lookup::Miss,
            Err(error) => {
                tracing::debug!(%error, "a response could not be looked up");
                return match error {
                    CacheError::Store(StoreError::Unavailable) => Lookup::Unavailable(StoreFault::Disconnected),
                    CacheError::Store(_) | CacheError::Busy => Lookup::Unavailable(StoreFault::Slow),
                    // Redis is available; the call itself was refused.
                    _ => Lookup::Miss,
                };
            }
        };
        match Stored::decode(entry.bytes) {
            Some(stored) => Lookup::Found(stored, entry.age),
            None => Lookup::Miss,
        }
    }

    /// Returns the invalidations that this process has received so far of what a key depends on. To be read before the handler is
    /// called. `store_fault` is the fault of the lookup.
    pub fn baseline(&self, key: &str, tags: &[Tag], store_fault: Option<StoreFault>) -> Option<Baseline> {
        let marks = self.cache.marks(&self.namespace, key, tags)?;
        Some(Baseline { marks, store_fault })
    }

    /// Returns whether this process has received no invalidation since `baseline`. `store_fault` is the fault that the caller met now.
    /// Unless Redis was and is disconnected, other instances may have invalidated something: then the process has to have been
    /// subscribed to invalidations all the time.
    pub fn is_untouched(&self, baseline: &Baseline, store_fault: StoreFault) -> bool {
        if (baseline.store_fault, store_fault) == (Some(StoreFault::Disconnected), StoreFault::Disconnected) {
            self.cache.is_untouched(&baseline.marks)
        } else {
            self.cache.are_current(&baseline.marks)
        }
    }

    /// Takes a ticket. To be taken before the handler is called: an invalidation after that invalidates its response as well.
    pub async fn ticket(&self, key: &str, tags: &[Tag]) -> Option<Ticket> {
        let ticket = self.in_time(self.cache.ticket(&self.namespace, key, tags)).await?;
        ticket
            .inspect_err(|error| tracing::debug!(%error, "a response will not be stored"))
            .ok()
    }

    /// Stores something for the time that its policy allows. Returns `None` if that failed.
    pub async fn put(
        &self,
        key: &str,
        bytes: &[u8],
        options: &PutOptions<'_>,
        ticket: Ticket,
    ) -> Option<cache::Stored> {
        let policy = options.policy;
        let put = Put {
            ttl: policy.fresh_for().clamp(Duration::from_millis(1), MAX_TTL),
            stale_while_revalidate: policy.stale_while_revalidate.min(MAX_TTL),
            stale_if_error: policy.stale_if_error.min(MAX_TTL),
            tags: options.tags.to_vec(),
            // Clients are sent the lifetime, so it has to be exact.
            jitter: 0.0,
            local: options.local,
        };
        let storing = self.cache.store(&self.namespace, key, bytes, &put, Some(ticket));
        let stored = self.in_time(storing).await;
        // Whether or not it was stored: the local entry is older than the client requires.
        self.cache.forget_here(&self.namespace, key);
        stored?
            .inspect_err(|error| tracing::debug!(%error, "a response was not stored"))
            .ok()
    }

    /// Returns whether Redis has these bytes under a key, and they are valid.
    pub async fn holds(&self, key: &str, tags: &[Tag], bytes: &[u8]) -> bool {
        let holds = self.in_time(self.cache.holds(&self.namespace, key, tags, bytes));
        matches!(holds.await, Some(Ok(true)))
    }

    /// Invalidates everything with these tags. Without the timeout, because a write is answered only after it.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        self.cache.invalidate(tags).await
    }

    /// Returns the result of a call if it arrives before the timeout, and not during the back-off.
    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        if self.backs_off_until.get().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let result = timeout(self.timeout, call).await.ok();
        self.backs_off_until
            .set(result.is_none().then(|| Instant::now() + BACK_OFF));
        if result.is_none() {
            // While Redis is slow, a response that is not stored can be shared if this process receives invalidations.
            self.cache.want_invalidations();
        }
        result
    }
}

/// How something is stored.
#[derive(Debug)]
pub struct PutOptions<'a> {
    /// How long it may be used.
    pub policy: &'a CachePolicy,
    /// The tags that it depends on.
    pub tags: &'a [Tag],
    /// How long an instance may keep it in its own memory.
    pub local: Duration,
}
