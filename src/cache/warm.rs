//! Warming: what is wanted from the first request on is computed before it, by one instance for all. Its turn is a lease that it
//! renews while it warms: if it dies, one of those that started with it takes over.

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

/// For how long one instance may warm; whoever has not ended by then is left.
const LONGEST: Duration = Duration::from_mins(2);
/// For how long a turn lasts that is not renewed; it is, three times as often.
const TURN: Duration = Duration::from_secs(6);
/// For how long after the end of one warming none begins at the start of an instance: the instances of a deploy start within that time.
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
    /// Another instance does it; or, for those who begin with it, did a moment ago.
    Elsewhere,
}

/// Warms as soon as Redis is there, or sees to it that another instance comes to the end of it; for the start of an instance.
pub async fn warm_at_start(cache: Cache) {
    cache.link().connected().await;
    match cache.warm_within(LONGEST).await {
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

    /// Runs all warmers of this process, a few at a time, unless another instance does it. That it was done a moment ago
    /// holds nobody back: it may have been cleared since.
    ///
    /// # Errors
    /// [`CacheError::Store`]: nothing was warmed.
    pub async fn warm(&self) -> Result<Warmed, CacheError> {
        self.warm_as(Wish::TakeAnew, Duration::ZERO).await
    }

    /// The same for the start of an instance: unless another has just done it; and if one does it, waits for so long whether
    /// it comes to the end of it, and takes over if not.
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
                // A turn that is lost costs a second warming, and is no reason to leave this one.
                self.say_turn(token, TURN, Wish::Take).await;
            }
        };
        tokio::select! {
            () = renewing => {}
            ended = timeout(LONGEST, warming) => {
                if ended.is_err() {
                    tracing::warn!("warming the cache took too long, and was left");
                }
            }
        }
        self.say_turn(token, REST, Wish::End).await;
        Warmed::Here {
            done,
            failed: count.saturating_sub(done),
        }
    }

    async fn say_turn(&self, token: Nonce, lasting: Duration, wish: Wish) {
        if let Err(error) = commands::warm(self.link(), token, lasting, wish).await {
            tracing::debug!(%error, "another instance may warm the cache as well");
        }
    }
}
