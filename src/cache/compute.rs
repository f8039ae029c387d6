//! Get or compute: one computation for a key in this process and, if the policy requests it, across instances.

use super::Cache;
use super::computation::{Computation, Seen};
use super::error::{CacheError, ComputeError};
use super::key_state::Found;
use super::local::Marks;
use super::model::{Entry, Fetched, Made, Name, Outage, Policy, Source};
use super::single_flight::{ComputationKey, InFlight, Join, Outcome, Replace, View};
use super::write::json;
use crate::ids::Id;
use crate::runtime::caught;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::TypeId;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::spawn_local;
use tokio::time::timeout_at;

/// Maximum number of computations that a follower waits for without using the result, because they had begun before its request. After
/// that it joins only a computation that has not begun.
const ROUNDS: usize = 3;

/// Why a typed computation failed.
enum TypedError<E> {
    Theirs(Arc<E>),
    NotJson(String),
}

/// A caller's role in a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Leader,
    Follower {
        /// Whether it joined before the computation began.
        early: bool,
    },
}

impl Cache {
    /// Returns the value of a key. A miss is computed by `compute` and stored.
    ///
    /// Of all callers in this process that want the same key, one computes, and all get its value or its error. The computation is a
    /// task of the current thread and continues if its caller is dropped. A value from before an invalidation is returned only to
    /// callers that called before the invalidation was acknowledged. A stored value that is not a `T` counts as a miss.
    ///
    /// # Errors
    /// [`ComputeError::Failed`], unless there is an entry that may be served then. [`ComputeError::Cache`]: with
    /// [`CacheError::Store`] only if the policy requires it.
    ///
    /// # Panics
    /// Outside of a `LocalSet`; every actix worker runs in one.
    pub async fn get_or_compute<T, E, F, C>(
        &self,
        namespace: &Id,
        key: &str,
        policy: &Policy,
        compute: F,
    ) -> Result<Fetched<T>, ComputeError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<T, E>> + 'static,
    {
        let put = policy.put.clone();
        // A computation that this caller started in the background.
        let mut renewal = None;
        let mut compute = Some(move || async move {
            let value = compute().await.map_err(|error| TypedError::Theirs(Arc::new(error)))?;
            match json(&value) {
                Ok(bytes) => Ok(Made {
                    bytes: bytes.into(),
                    put: Some(put),
                }),
                Err(error) => Err(TypedError::NotJson(error.to_string())),
            }
        });
        loop {
            let fetched = match renewal.take() {
                None => {
                    self.fetch_once(namespace, key, policy, &mut compute, &mut renewal)
                        .await
                }
                Some(in_flight) => {
                    let result = self.await_outcome(namespace, &in_flight, Role::Leader, None).await;
                    result.unwrap_or(Err(ComputeError::Lost))
                }
            };
            let fetched = fetched.map_err(|error: ComputeError<TypedError<E>>| match error {
                ComputeError::Failed(error) => match &*error {
                    TypedError::Theirs(error) => ComputeError::Failed(Arc::clone(error)),
                    TypedError::NotJson(why) => ComputeError::Cache(CacheError::NotJson(why.clone())),
                },
                ComputeError::Cache(error) => ComputeError::Cache(error),
                ComputeError::Lost => ComputeError::Lost,
            })?;
            if let Ok(value) = serde_json::from_slice(&fetched.value) {
                return Ok(Fetched {
                    value,
                    source: fetched.source,
                    age: fetched.age,
                    fresh_for: fetched.fresh_for,
                });
            }
            self.shared().namespaces.of(namespace).corrupt.add(1);
            self.shared().counted.corrupt.inc();
            if renewal.is_some() {
                continue;
            }
            // The value was computed for this caller: another computation would give the same.
            if compute.is_none() {
                return Err(ComputeError::Cache(CacheError::Corrupt));
            }
            self.delete(namespace, key).await?;
        }
    }

    /// Returns the bytes of a key, as [`Self::get_or_compute`] does. The computation determines how its value is stored.
    ///
    /// # Errors
    /// As [`Self::get_or_compute`].
    ///
    /// # Panics
    /// As [`Self::get_or_compute`].
    pub async fn fetch<E, F, C>(
        &self,
        namespace: &Id,
        key: &str,
        policy: &Policy,
        compute: F,
    ) -> Result<Fetched<Bytes>, ComputeError<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        self.fetch_once(namespace, key, policy, &mut Some(compute), &mut None)
            .await
    }

    /// Takes `compute` if this caller leads the computation. Sets `renewal` if the caller gets a stored value before that.
    async fn fetch_once<E, F, C>(
        &self,
        namespace: &Id,
        key: &str,
        policy: &Policy,
        compute: &mut Option<F>,
        renewal: &mut Option<Arc<InFlight>>,
    ) -> Result<Fetched<Bytes>, ComputeError<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let name = Name::new(namespace, key)?;
        let mut early_refresh = EarlyRefresh::default();
        let mut kept = self.local(&name);
        if let Some(entry) = kept.take_if(|entry| !early_refresh.is_early(entry, policy.beta)) {
            let level = entry.level;
            return Ok(found(entry, Source::Fresh(level)));
        }
        policy.put.check()?;
        let tags = &policy.put.tags;
        let key = ComputationKey {
            namespace: namespace.clone(),
            key: key.into(),
            error: TypeId::of::<E>(),
        };
        let (mut replace, mut rounds) = (Replace::Overdue, 0);
        loop {
            let marks = self.shared().local.marks(&name, tags);
            let read = self.counted(&name, self.read_key(&name, tags).await);
            let read = match read {
                Ok(state) => {
                    kept = None;
                    Some(state)
                }
                Err(error) => {
                    // It was due for an early refresh, and is still fresh.
                    if let Some(entry) = kept.take() {
                        let level = entry.level;
                        return Ok(found(entry, Source::Fresh(level)));
                    }
                    match error {
                        CacheError::Store(_) if policy.outage == Outage::Compute => None,
                        error => return Err(error.into()),
                    }
                }
            };
            let view = read.as_ref().map_or(View::Unavailable, View::Read);
            let mut fallback = None;
            if let Some(state) = &read
                && let Found::Live(head, entry) = &state.found
            {
                let is_due = !entry.is_fresh() || early_refresh.is_early(entry, policy.beta);
                if entry.is_fresh() || !entry.stale_for.is_zero() {
                    if is_due && let Join::Leader(in_flight) = self.join(&key, view, &marks, Replace::Overdue) {
                        if entry.is_fresh() {
                            self.shared().namespaces.of(namespace).early.add(1);
                        }
                        *renewal = Some(Arc::clone(&in_flight));
                        self.start(policy, key, in_flight, Seen::There(head.nonce), marks, compute);
                    }
                    self.keep(&name, state);
                    let source = if rounds > 0 && entry.is_fresh() {
                        self.count_joined(namespace);
                        Source::Joined
                    } else if entry.is_fresh() {
                        Source::Fresh(entry.level)
                    } else {
                        Source::Stale
                    };
                    return Ok(found(entry.clone(), source));
                }
                fallback = Some((entry.clone(), state.asked));
            }
            let (in_flight, part) = match self.join(&key, view, &marks, replace) {
                Join::Follower { in_flight, early } => (in_flight, Role::Follower { early }),
                Join::Leader(in_flight) => {
                    let seen = read.as_ref().map_or(Seen::Unavailable, |state| {
                        state.nonce.map_or(Seen::Nothing, Seen::There)
                    });
                    self.start(policy, key.clone(), Arc::clone(&in_flight), seen, marks, compute);
                    (in_flight, Role::Leader)
                }
                Join::Outdated => {
                    // It may have begun after the read: then the next read shows the same versions.
                    replace = Replace::Outdated;
                    continue;
                }
                Join::Full => return Err(CacheError::Busy.into()),
            };
            if let Some(result) = self.await_outcome(namespace, &in_flight, part, fallback).await {
                return result;
            }
            rounds += 1;
            replace = if rounds < ROUNDS {
                Replace::Overdue
            } else {
                Replace::Begun
            };
        }
    }

    fn join(&self, key: &ComputationKey, view: View<'_>, marks: &Marks, replace: Replace) -> Join {
        let shared = self.shared();
        shared.single_flight.join(key, view, marks, &shared.local, replace)
    }

    fn count_joined(&self, namespace: &Id) {
        self.shared().namespaces.of(namespace).saved.add(1);
        self.shared().counted.joined.inc();
    }

    /// Waits for a computation. `fallback` is the stale entry that may be served if it fails, and when that was read. Returns `None` if a
    /// follower has to read again.
    async fn await_outcome<E: Send + Sync + 'static>(
        &self,
        namespace: &Id,
        in_flight: &InFlight,
        part: Role,
        fallback: Option<(Entry, Instant)>,
    ) -> Option<Result<Fetched<Bytes>, ComputeError<E>>> {
        let outcome = match part {
            Role::Leader => in_flight.outcome.wait().await,
            Role::Follower { early } => {
                // A computation that hangs does not block its key forever.
                let outcome = timeout_at(in_flight.overdue().into(), in_flight.outcome.wait())
                    .await
                    .ok()?;
                match outcome {
                    Outcome::Made { for_all: false, .. } if !early => return None,
                    Outcome::Found(_) => return None,
                    _ => outcome,
                }
            }
        };
        // Computed by another caller, in this process or, if it was found, in another instance.
        let source = if part == Role::Leader && !matches!(outcome, Outcome::Found(_)) {
            Source::Computed
        } else {
            self.count_joined(namespace);
            Source::Joined
        };
        let error = match outcome.clone() {
            Outcome::Made { entry, .. } | Outcome::Found(entry) => return Some(Ok(found(entry, source))),
            Outcome::Failed(error) => error.downcast().map_or(ComputeError::Lost, ComputeError::Failed),
            Outcome::Refused(error) => ComputeError::Cache(error),
            Outcome::Lost => ComputeError::Lost,
        };
        match fallback {
            Some((entry, read)) if read.elapsed() < entry.error_for => {
                self.shared().namespaces.of(namespace).stale.add(1);
                self.shared().counted.stale.inc();
                Some(Ok(found(entry, Source::StaleOnError)))
            }
            _ => Some(Err(error)),
        }
    }

    /// Starts a computation in the background.
    fn start<E, F, C>(
        &self,
        policy: &Policy,
        key: ComputationKey,
        in_flight: Arc<InFlight>,
        seen: Seen,
        marks: Marks,
        compute: &mut Option<F>,
    ) where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let computation = Computation {
            cache: self.clone(),
            policy: policy.clone(),
            key,
            in_flight,
            seen,
            marks,
        };
        // A caller leads at most one computation, so it is always there.
        if let Some(compute) = compute.take() {
            spawn_local(caught("cache.compute", computation.run(compute)));
        }
    }
}

fn found(entry: Entry, source: Source) -> Fetched<Bytes> {
    Fetched {
        value: entry.bytes,
        source,
        age: entry.age,
        fresh_for: entry.fresh_for,
    }
}

/// Probabilistic early refresh: whether one caller computes a fresh entry again. It becomes more likely as the expiry approaches, and for
/// values that take long to compute. Drawn once per caller, so that reading the same entry twice gives the same decision.
///
/// `XFetch` of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8 (2015): refresh
/// if now − cost · β · ln(random) ≥ expiry.
#[derive(Debug, Default)]
struct EarlyRefresh(Option<f64>);

impl EarlyRefresh {
    /// An upper bound of −ln(random): the smallest random number is 2⁻⁵³.
    const MOST: f64 = 37.0;

    fn is_early(&mut self, entry: &Entry, beta: f64) -> bool {
        let (reach, left) = (entry.cost.as_secs_f64() * beta, entry.fresh_for.as_secs_f64());
        // Most entries are far from their expiry, and a local hit costs less than a random number.
        if reach * Self::MOST < left {
            return false;
        }
        // Excludes 0, whose logarithm is infinite.
        let drawn = || -(1.0 - rand::random_range(0.0..1.0_f64)).ln();
        reach * *self.0.get_or_insert_with(drawn) >= left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Put;
    use std::time::Duration;

    #[test]
    fn early_refresh_grows_with_the_cost_and_towards_the_end() {
        let share = |cost, beta, left| {
            let times = 20_000;
            let put = Put::fresh_for(Duration::from_millis(left));
            let entry = Entry::computed(Bytes::new(), &put, Duration::from_millis(cost));
            let early = (0..times).filter(|_| EarlyRefresh::default().is_early(&entry, beta));
            f64::from(u32::try_from(early.count()).unwrap()) / f64::from(times)
        };
        // The chance is e^(−left / (cost · β)).
        for (cost, beta, left, expected) in [(100, 1.0, 100, 0.368), (100, 1.0, 300, 0.050), (100, 2.0, 200, 0.368)] {
            let found = share(cost, beta, left);
            assert!((found - expected).abs() < 0.02, "{cost} {beta} {left}: {found}");
        }
        assert!(share(100, 1.0, 60_000) < 1e-9);
        assert!(share(100, 0.0, 1) < 1e-9);
        assert!(share(0, 1.0, 1) < 1e-9);
    }
}
