//! Warming: one instance computes entries before the first request needs them. It has a lease that it renews; if it crashes, another
//! instance takes over.

use super::Cache;
use super::commands::{self, Turn, Wish};
use super::entry::Nonce;
use super::error::CacheError;
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt, stream};
use parking_lot::RwLock;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep, timeout};

/// The maximum time of a warming. Warmers that take longer are dropped.
const LONGEST: Duration = Duration::from_mins(2);
/// The duration of the lease. It is renewed three times in this time.
const TURN: Duration = Duration::from_secs(6);
/// After a warming no starting instance begins another one for this time. The instances of a deployment start within it.
const REST: Duration = Duration::from_secs(30);
/// The maximum number of warmers that run at the same time.
const AT_ONCE: usize = 4;

/// A warmer: fills the cache that it is given.
type Warm = dyn Fn(Cache) -> LocalBoxFuture<'static, Result<(), String>> + Send + Sync;

/// The warmers of this process.
#[derive(Default)]
pub(super) struct Warmers(RwLock<Vec<(String, Arc<Warm>)>>);

impl fmt::Debug for Warmers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.read().iter().map(|(name, _)| name))
            .finish()
    }
}

/// The result of a warming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmed {
    /// This instance did it.
    Here {
        /// Warmers that succeeded.
        done: usize,
        /// Warmers that failed or took too long; the log names them.
        failed: usize,
    },
    /// Another instance does it, or has just done it.
    Elsewhere,
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

    /// Runs all warmers of this process, a few at a time, unless another instance does it now. A recent warming does not matter: the cache
    /// may have been invalidated since.
    ///
    /// # Errors
    /// [`CacheError::Store`]: nothing was warmed.
    pub async fn warm(&self) -> Result<Warmed, CacheError> {
        self.warm_as(Wish::TakeAgain, Duration::ZERO).await
    }

    /// Warms the cache at the start of an instance, unless another instance has just done it. If another instance does it now, waits up to
    /// `patience` for its end, and takes over if it does not end.
    ///
    /// # Errors
    /// As [`Self::warm`].
    pub async fn warm_within(&self, patience: Duration) -> Result<Warmed, CacheError> {
        self.warm_as(Wish::Take, patience).await
    }

    async fn warm_as(&self, wish: Wish, patience: Duration) -> Result<Warmed, CacheError> {
        if self.shared().warmers.0.read().is_empty() {
            return Ok(Warmed::Here { done: 0, failed: 0 });
        }
        let (token, until) = (Nonce::random(), Instant::now() + patience);
        loop {
            match commands::warm(self.link(), token, TURN, wish).await? {
                Turn::Yours => return Ok(self.warm_all(token).await),
                Turn::UnderWay(left) if Instant::now() + left < until => sleep(left).await,
                Turn::UnderWay(_) | Turn::Done => return Ok(Warmed::Elsewhere),
            }
        }
    }

    async fn warm_all(&self, token: Nonce) -> Warmed {
        let warmers = self.shared().warmers.0.read().clone();
        let count = warmers.len();
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
            ready(())
        });
        let renewing = async {
            let mut renew = interval(TURN / 3);
            loop {
                renew.tick().await;
                // If the lease is lost, another instance warms the cache as well, which is no reason to stop.
                self.set_lease(token, TURN, Wish::Take).await;
            }
        };
        tokio::select! {
            () = renewing => {}
            ended = timeout(LONGEST, warming) => {
                if ended.is_err() {
                    tracing::warn!("warming the cache took too long and was stopped");
                }
            }
        }
        self.set_lease(token, REST, Wish::End).await;
        Warmed::Here {
            done,
            failed: count.saturating_sub(done),
        }
    }

    async fn set_lease(&self, token: Nonce, lasting: Duration, wish: Wish) {
        if let Err(error) = commands::warm(self.link(), token, lasting, wish).await {
            tracing::debug!(%error, "another instance may warm the cache as well");
        }
    }
}
