//! Warming: what is wanted from the first request on is computed before it, by one instance for all.

use super::Cache;
use super::error::CacheError;
use crate::store::StoreError;
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt, stream};
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// For how long one instance may warm; whoever has not ended by then is left.
const LONGEST: Duration = Duration::from_mins(2);
/// For how long after the end of one warming no other begins: the instances of a deploy start within that time.
const REST: Duration = Duration::from_secs(30);
/// Warmers at work at once.
const AT_ONCE: usize = 4;

/// A warmer: fills the cache that it is given.
type Warm = dyn Fn(Cache) -> LocalBoxFuture<'static, Result<(), String>> + Send + Sync;

/// What is to be warmed in this process.
#[derive(Default)]
pub(super) struct Warmers(RwLock<Vec<(String, Arc<Warm>)>>);

impl fmt::Debug for Warmers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.read().iter().map(|(name, _)| name))
            .finish()
    }
}

/// What came of warming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmed {
    /// It was done here.
    Here {
        /// Warmers that came to their end.
        done: usize,
        /// Warmers that failed or took too long; the log says which.
        failed: usize,
    },
    /// Another instance does it, or did a moment ago.
    Elsewhere,
}

/// Warms as soon as Redis is there; for the start of an instance.
pub async fn warm_at_start(cache: Cache) {
    cache.link().connected().await;
    match cache.warm().await {
        Ok(Warmed::Here { done: 0, failed: 0 }) => {}
        Ok(warmed) => tracing::info!(?warmed, "the cache is warmed"),
        Err(error) => tracing::warn!(%error, "the cache is not warmed"),
    }
}

impl Cache {
    /// Adds a warmer to those of this process, by a name for the log.
    pub fn add_warmer<W, F>(&self, name: &str, warm: W)
    where
        W: Fn(Self) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + 'static,
    {
        let warm: Arc<Warm> = Arc::new(move |cache| Box::pin(warm(cache)));
        self.shared().warmers.0.write().push((name.to_owned(), warm));
    }

    /// Runs all warmers of this process, a few at a time, unless another instance does it or has just done so.
    ///
    /// # Errors
    /// [`CacheError::Store`]: nothing was warmed.
    pub async fn warm(&self) -> Result<Warmed, CacheError> {
        let warmers = self.shared().warmers.0.read().clone();
        let count = warmers.len();
        if count == 0 {
            return Ok(Warmed::Here { done: 0, failed: 0 });
        }
        let key = self.link().store().keys().cache_warming();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut begin = redis::cmd("SET");
        begin.arg(&key).arg("1").arg("NX").arg("PX").arg(millis(LONGEST + REST));
        if self.link().query::<Option<String>>(&begin).await?.is_none() {
            return Ok(Warmed::Elsewhere);
        }
        let runs = stream::iter(warmers).map(|(name, warm)| {
            let warming = warm(self.clone());
            async move {
                match warming.await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::warn!(name, error, "a part of the cache could not be warmed");
                        false
                    }
                }
            }
        });
        let mut done = 0;
        let warming = runs.buffer_unordered(AT_ONCE).for_each(|is_done| {
            done += usize::from(is_done);
            std::future::ready(())
        });
        if timeout(LONGEST, warming).await.is_err() {
            tracing::warn!("warming the cache took too long, and was left");
        }
        let mut rest = redis::cmd("PEXPIRE");
        rest.arg(&key).arg(millis(REST));
        let rested: Result<i64, StoreError> = self.link().query(&rest).await;
        if let Err(error) = rested {
            tracing::debug!(%error, "no other instance warms the cache until the lease of this one has ended");
        }
        Ok(Warmed::Here {
            done,
            failed: count.saturating_sub(done),
        })
    }
}
