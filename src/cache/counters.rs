//! Counters that all instances share. The expiry of a counter is set when it begins.

use super::Cache;
use super::commands::{self, Counted};
use super::error::CacheError;
use super::model::{Counter, Name, Put};
use crate::ids::Id;
use crate::once::Once;
use std::time::Duration;

impl Cache {
    /// Adds to a counter, which begins at 0 and expires `ttl` after it began. Later calls do not change the expiry.
    ///
    /// # Errors
    /// [`CacheError::CounterRange`], [`CacheError::NoCounter`], [`CacheError::Ttl`], [`CacheError::Key`]: the counter is unchanged.
    /// [`CacheError::Store`]: it may have been counted, and counting again may count twice.
    pub async fn incr(&self, namespace: &Id, name: &str, by: i64, ttl: Duration) -> Result<Counter, CacheError> {
        self.incr_once(namespace, name, by, ttl, None)
            .await
            .map(|(counter, _)| counter)
    }

    /// Adds to a counter once for each idempotency key. Returns whether a call with the key was carried out before, with its result.
    ///
    /// # Errors
    /// As [`Self::incr`], and [`CacheError::KeyReused`].
    pub async fn incr_once(
        &self,
        namespace: &Id,
        name: &str,
        by: i64,
        ttl: Duration,
        once: Option<&Once>,
    ) -> Result<(Counter, bool), CacheError> {
        Name::new(namespace, name)?;
        Put::fresh_for(ttl).check()?;
        let key = self.link().store().keys().cache_counter(namespace, name);
        if once.is_some() {
            self.link().store().room()?;
        }
        self.link().room_for(&key.name).await?;
        match commands::count(self.link(), &key, by, ttl, once).await? {
            Counted::At(value, ends_in) => Ok((Counter { value, ends_in }, false)),
            Counted::Before(value, ends_in) => Ok((Counter { value, ends_in }, true)),
            Counted::Differs => Err(CacheError::KeyReused),
            Counted::Range => Err(CacheError::CounterRange),
            Counted::NoCounter => Err(CacheError::NoCounter),
        }
    }

    /// Returns a counter; `None` if there is none.
    ///
    /// # Errors
    /// [`CacheError::NoCounter`], [`CacheError::Key`], [`CacheError::Store`].
    pub async fn counter(&self, namespace: &Id, name: &str) -> Result<Option<Counter>, CacheError> {
        Name::new(namespace, name)?;
        let key = self.link().store().keys().cache_counter(namespace, name);
        let mut all = redis::pipe();
        // MGET returns nothing for a key of another type, where GET would fail; TYPE distinguishes it from a missing key.
        all.cmd("MGET").arg(&key.name).cmd("TYPE").arg(&key.name);
        all.cmd("PTTL").arg(&key.name);
        let ((value,), kind, ends_ms): ((Option<String>,), String, i64) = self.link().pipeline(&all).await?;
        let Some(value) = value else {
            return if kind == "none" {
                Ok(None)
            } else {
                Err(CacheError::NoCounter)
            };
        };
        let value = value.parse().map_err(|_unspecific| CacheError::NoCounter)?;
        let ends_in = Duration::from_millis(u64::try_from(ends_ms).unwrap_or(0));
        Ok(Some(Counter { value, ends_in }))
    }

    /// Deletes a counter.
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
}
