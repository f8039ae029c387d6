//! Get, or compute: one computation for a key in this process and, if asked for, across instances.

use super::Cache;
use super::crossing::{Crossing, Seen};
use super::error::{CacheError, ComputeError};
use super::flights::{Boarding, Destination, Flight, Outcome, Replace, View};
use super::local::Marks;
use super::look::Found;
use super::model::{Entry, Fetched, Made, Name, Outage, Policy, Source};
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

/// So often a caller waits for computations that turn out not to be for it, because they had begun before it asked; then it
/// takes only one that has not.
const ROUNDS: usize = 3;

/// Why a typed computation failed.
enum TypedError<E> {
    Theirs(Arc<E>),
    NotJson(String),
}

/// A caller's part in a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Began,
    Joined {
        /// Before it began to compute.
        early: bool,
    },
}

impl Cache {
    /// The value under a key, found, or computed by `compute` and stored.
    ///
    /// However many ask for it in this process, one computes, and all of them have its value or its error. That one is a
    /// task of the current thread: it goes on if its caller goes away. The value is that of before an invalidation only for
    /// those who asked before the invalidation was acknowledged. What is found and is no `T` counts as a miss.
    ///
    /// # Errors
    /// [`ComputeError::Failed`], unless there is an entry that may be served then. [`ComputeError::Cache`]: with
    /// [`CacheError::Store`] only if the policy says so.
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
        // A computation that this caller began in the background.
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
                Some(flight) => {
                    let arrived = self.arrive(namespace, &flight, Part::Began, None).await;
                    arrived.unwrap_or(Err(ComputeError::Lost))
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
            // Nothing else is known of it than that it is of no use here. Computed for this caller it would be the same again.
            if compute.is_none() {
                return Err(ComputeError::Cache(CacheError::Corrupt));
            }
            self.delete(namespace, key).await?;
        }
    }

    /// The same with bytes; the computation itself says how its value is kept.
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

    /// Takes `compute` if it is this caller who computes; with `renewal`, if it has its answer before that.
    async fn fetch_once<E, F, C>(
        &self,
        namespace: &Id,
        key: &str,
        policy: &Policy,
        compute: &mut Option<F>,
        renewal: &mut Option<Arc<Flight>>,
    ) -> Result<Fetched<Bytes>, ComputeError<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let name = Name::new(namespace, key)?;
        let mut luck = Luck::default();
        let mut kept = self.local(&name);
        if let Some(entry) = kept.take_if(|entry| !luck.is_early(entry, policy.beta)) {
            let level = entry.level;
            return Ok(found(entry, Source::Fresh(level)));
        }
        policy.put.check()?;
        let tags = &policy.put.tags;
        let destination = Destination {
            namespace: namespace.clone(),
            key: key.into(),
            error: TypeId::of::<E>(),
        };
        let (mut replace, mut rounds) = (Replace::Overdue, 0);
        loop {
            let marks = self.shared().local.marks(&name, tags);
            let looked = self.counted(&name, self.look(&name, tags).await);
            let looked = match looked {
                Ok(look) => {
                    kept = None;
                    Some(look)
                }
                Err(error) => {
                    // It was due, which is no reason not to serve it.
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
            let view = looked.as_ref().map_or(View::Away, View::Look);
            let mut spare = None;
            if let Some(look) = &looked
                && let Found::Live(head, entry) = &look.found
            {
                let is_due = !entry.is_fresh() || luck.is_early(entry, policy.beta);
                if entry.is_fresh() || !entry.stale_for.is_zero() {
                    if is_due
                        && let Boarding::Started(flight) = self.board(&destination, view, &marks, Replace::Overdue)
                    {
                        if entry.is_fresh() {
                            self.shared().namespaces.of(namespace).early.add(1);
                        }
                        *renewal = Some(Arc::clone(&flight));
                        self.take_off(policy, destination, flight, Seen::There(head.nonce), marks, compute);
                    }
                    self.keep(&name, look);
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
                spare = Some((entry.clone(), look.asked));
            }
            let (flight, part) = match self.board(&destination, view, &marks, replace) {
                Boarding::Joined { flight, early } => (flight, Part::Joined { early }),
                Boarding::Started(flight) => {
                    let seen = looked
                        .as_ref()
                        .map_or(Seen::Away, |look| look.nonce.map_or(Seen::Nothing, Seen::There));
                    self.take_off(policy, destination.clone(), Arc::clone(&flight), seen, marks, compute);
                    (flight, Part::Began)
                }
                Boarding::Outdated => {
                    // It may have begun after the look, and then it shows in another.
                    replace = Replace::Outdated;
                    continue;
                }
                Boarding::Full => return Err(CacheError::Busy.into()),
            };
            if let Some(arrived) = self.arrive(namespace, &flight, part, spare).await {
                return arrived;
            }
            rounds += 1;
            replace = if rounds < ROUNDS {
                Replace::Overdue
            } else {
                Replace::Begun
            };
        }
    }

    fn board(&self, destination: &Destination, view: View<'_>, marks: &Marks, replace: Replace) -> Boarding {
        let shared = self.shared();
        shared.flights.board(destination, view, marks, &shared.local, replace)
    }

    fn count_joined(&self, namespace: &Id) {
        self.shared().namespaces.of(namespace).saved.add(1);
        self.shared().counted.joined.inc();
    }

    /// Waits for a computation. `spare` is what may be served in its place if it fails, and when that was looked at. `None` if
    /// one who joined has to look again.
    async fn arrive<E: Send + Sync + 'static>(
        &self,
        namespace: &Id,
        flight: &Flight,
        part: Part,
        spare: Option<(Entry, Instant)>,
    ) -> Option<Result<Fetched<Bytes>, ComputeError<E>>> {
        let outcome = match part {
            Part::Began => flight.outcome.wait().await,
            Part::Joined { early } => {
                // One that hangs does not block its key for ever.
                let outcome = timeout_at(flight.overdue().into(), flight.outcome.wait()).await.ok()?;
                match outcome {
                    Outcome::Made { for_all: false, .. } if !early => return None,
                    Outcome::Found(_) => return None,
                    _ => outcome,
                }
            }
        };
        // By another caller, here or, where it was found, in another instance.
        let source = if part == Part::Began && !matches!(outcome, Outcome::Found(_)) {
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
        match spare {
            Some((entry, looked)) if looked.elapsed() < entry.error_for => {
                self.shared().namespaces.of(namespace).stale.add(1);
                self.shared().counted.stale.inc();
                Some(Ok(found(entry, Source::StaleOnError)))
            }
            _ => Some(Err(error)),
        }
    }

    /// Begins a computation in the background.
    fn take_off<E, F, C>(
        &self,
        policy: &Policy,
        destination: Destination,
        flight: Arc<Flight>,
        seen: Seen,
        marks: Marks,
        compute: &mut Option<F>,
    ) where
        E: Send + Sync + 'static,
        F: FnOnce() -> C + 'static,
        C: Future<Output = Result<Made, E>> + 'static,
    {
        let crossing = Crossing {
            cache: self.clone(),
            policy: policy.clone(),
            destination,
            flight,
            seen,
            marks,
        };
        // Always there: a caller who takes off has not done so before, and is answered.
        if let Some(compute) = compute.take() {
            spawn_local(caught("cache.compute", crossing.cross(compute)));
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

/// What chance says to one caller: whether a fresh entry is to be computed anew now, the more likely the sooner its time is
/// over and the longer computing it takes. Drawn once, so that where the same entry is found twice it says the same.
///
/// `XFetch`, of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8 (2015): if
/// now − cost · β · ln(random) has come to the end of its time.
#[derive(Debug, Default)]
struct Luck(Option<f64>);

impl Luck {
    /// More than −ln(random) ever is: the least random number is 2⁻⁵³.
    const MOST: f64 = 37.0;

    fn is_early(&mut self, entry: &Entry, beta: f64) -> bool {
        let (reach, left) = (entry.cost.as_secs_f64() * beta, entry.fresh_for.as_secs_f64());
        // Most entries are far from it, and found in this process each costs less than a random number does.
        if reach * Self::MOST < left {
            return false;
        }
        // 0 is left out, whose logarithm is infinite.
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
            let early = (0..times).filter(|_| Luck::default().is_early(&entry, beta));
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
