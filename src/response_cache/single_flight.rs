//! Fetches in flight in this process: one for a key, however many requests wait for it.
//!
//! The first request of a key leads the fetch, the others follow it. Only the answer determines whether it may be shared, and a follower may
//! have been too late for it, so a follower may have to look up the key again.
//!
//! The single-flight of the [`cache`](crate::cache) slice has the same roles and the same terms, and other rules, so the two share no
//! code. That one admits a follower by the versions of Redis that it has read, shares every value, and counts the
//! computations that were replaced and still run. This one admits a follower by time alone, has a phase of storing in which
//! no request may join, remembers for a moment what was stored, and releases the key when its leader is dropped. All that they have in common is
//! a map behind a mutex.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;

/// The maximum number of keys in flight. Beyond it a request calls the handler itself.
const MAX_IN_FLIGHT: usize = 10_000;
/// How long a stored result is remembered, for requests that read the cache before it was stored. Longer than a lookup takes.
const REMEMBERED: Duration = Duration::from_secs(1);

/// How long followers wait. If a handler never returns, its followers then continue without it, and the next request of the key
/// replaces the leader.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The fetches in flight, over all workers of a process. The result has to be `Send`; the fetch need not be.
#[derive(Debug)]
pub struct SingleFlight<K, T>(Mutex<Table<K, T>>);

#[derive(Debug)]
struct Table<K, T> {
    entries: HashMap<K, Stage<T>>,
    /// The keys of the remembered results, the oldest first.
    stored: VecDeque<(Instant, K)>,
}

#[derive(Debug)]
enum Stage<T> {
    /// The handler has not been called. Followers that join now arrived before the call.
    Pending(InFlight<T>),
    /// The handler has been called.
    Begun(InFlight<T>),
    /// The result is being stored.
    Storing(InFlight<T>),
    /// The result was stored at this time.
    Stored(Instant),
}

/// A fetch under way, as its followers see it.
#[derive(Debug)]
pub struct InFlight<T> {
    outcome: watch::Receiver<Option<T>>,
    began: Instant,
}

// A derived implementation would require `T: Clone`.
impl<T> Clone for InFlight<T> {
    fn clone(&self) -> Self {
        Self {
            outcome: self.outcome.clone(),
            began: self.began,
        }
    }
}

/// Why a follower gets no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitError {
    /// The leader was dropped without a result.
    Lost,
    /// The fetch takes too long.
    Overdue,
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self(Mutex::new(Table {
            entries: HashMap::new(),
            stored: VecDeque::new(),
        }))
    }
}

/// The answer to a request that wants to fetch a key.
#[derive(Debug)]
pub enum Join<K: Hash + Eq + Clone, T> {
    /// The request leads the fetch and has to call the handler.
    Leader(Leader<K, T>),
    /// Another request leads the fetch.
    Follower {
        in_flight: InFlight<T>,
        /// Whether the handler has not been called, so that the result is newer than this request.
        early: bool,
    },
    /// The result is being stored: wait for that, then look up the key again. The result may have been invalidated before this request.
    Storing(InFlight<T>),
    /// A result was stored after this request had looked up the key: look it up again.
    Stored,
    /// The maximum number of keys is in flight.
    Full,
}

impl<K: Hash + Eq + Clone, T: Clone> SingleFlight<K, T> {
    /// Joins or leads the fetch of a key, for a request that looked it up at `looked_up_at` and did not find it. With
    /// `replace_begun` the request replaces a fetch that has begun, because its result may not be for this request.
    pub fn join(self: &Arc<Self>, key: &K, looked_up_at: Instant, replace_begun: bool) -> Join<K, T> {
        let mut table = self.0.lock();
        table.forget_stored();
        match table.entries.get(key) {
            Some(Stage::Pending(in_flight) | Stage::Begun(in_flight) | Stage::Storing(in_flight))
                if in_flight.is_overdue() => {}
            Some(Stage::Pending(in_flight)) => {
                return Join::Follower {
                    in_flight: in_flight.clone(),
                    early: true,
                };
            }
            Some(Stage::Begun(_) | Stage::Storing(_)) if replace_begun => {}
            Some(Stage::Begun(in_flight)) => {
                return Join::Follower {
                    in_flight: in_flight.clone(),
                    early: false,
                };
            }
            Some(Stage::Storing(in_flight)) => return Join::Storing(in_flight.clone()),
            Some(Stage::Stored(at)) if looked_up_at < *at => return Join::Stored,
            None if table.entries.len() >= MAX_IN_FLIGHT => return Join::Full,
            Some(Stage::Stored(_)) | None => {}
        }
        let (outcome, receiver) = watch::channel(None);
        let in_flight = InFlight {
            outcome: receiver,
            began: Instant::now(),
        };
        table.entries.insert(key.clone(), Stage::Pending(in_flight));
        Join::Leader(Leader {
            single_flight: Arc::clone(self),
            key: key.clone(),
            outcome,
            is_remembered: false,
        })
    }
}

impl<K: Hash + Eq, T> Table<K, T> {
    /// Removes old results.
    fn forget_stored(&mut self) {
        while let Some((at, _)) = self.stored.front()
            && at.elapsed() > REMEMBERED
            && let Some((at, key)) = self.stored.pop_front()
        {
            // The key may be in flight again.
            if matches!(self.entries.get(&key), Some(Stage::Stored(last)) if *last == at) {
                self.entries.remove(&key);
            }
        }
    }
}

/// The leader's side of a fetch. If it is dropped before [`Self::finish`], its followers get [`WaitError::Lost`].
#[derive(Debug)]
pub struct Leader<K: Hash + Eq + Clone, T> {
    single_flight: Arc<SingleFlight<K, T>>,
    key: K,
    outcome: watch::Sender<Option<T>>,
    is_remembered: bool,
}

impl<K: Hash + Eq + Clone, T> Leader<K, T> {
    /// Notes that the handler is called now: later followers are not early.
    pub fn begin(&self) {
        let mut table = self.single_flight.0.lock();
        if let Some(stage) = table.entries.get_mut(&self.key).filter(|stage| self.leads(stage))
            && let Stage::Pending(in_flight) = stage
        {
            *stage = Stage::Begun(in_flight.clone());
        }
    }

    /// Notes that the result is stored now: later requests get [`Join::Storing`]. Returns whether there are followers.
    pub fn begin_storing(&self) -> bool {
        let mut table = self.single_flight.0.lock();
        let own = table.entries.get_mut(&self.key).filter(|stage| self.leads(stage));
        // The table has a receiver too.
        let of_table = usize::from(own.is_some());
        if let Some(stage) = own
            && let Stage::Pending(in_flight) | Stage::Begun(in_flight) = stage
        {
            *stage = Stage::Storing(in_flight.clone());
        }
        self.outcome.receiver_count() > of_table
    }

    /// Returns whether a stage is that of this fetch, and not of one that replaced it.
    fn leads(&self, stage: &Stage<T>) -> bool {
        match stage {
            Stage::Pending(in_flight) | Stage::Begun(in_flight) | Stage::Storing(in_flight) => {
                in_flight.outcome.same_channel(&self.outcome.subscribe())
            }
            Stage::Stored(_) => false,
        }
    }

    /// Sends the result to all followers. `stored`: a lookup finds it from now on.
    pub fn finish(mut self, outcome: T, stored: bool) {
        let mut table = self.single_flight.0.lock();
        if stored && table.entries.get(&self.key).is_some_and(|stage| self.leads(stage)) {
            self.is_remembered = true;
            let now = Instant::now();
            table.entries.insert(self.key.clone(), Stage::Stored(now));
            table.stored.push_back((now, self.key.clone()));
        }
        drop(table);
        self.outcome.send_replace(Some(outcome));
    }
}

impl<K: Hash + Eq + Clone, T> Drop for Leader<K, T> {
    fn drop(&mut self) {
        if self.is_remembered {
            return;
        }
        let mut table = self.single_flight.0.lock();
        if table.entries.get(&self.key).is_some_and(|stage| self.leads(stage)) {
            table.entries.remove(&self.key);
        }
    }
}

impl<T> InFlight<T> {
    fn is_overdue(&self) -> bool {
        self.began.elapsed() >= MAX_WAIT
    }
}

impl<T: Clone> InFlight<T> {
    /// Waits for the result.
    ///
    /// # Errors
    /// [`WaitError`]: there is no result, or not yet.
    pub async fn wait(mut self) -> Result<T, WaitError> {
        let overdue = self.began + MAX_WAIT;
        let outcome = self.outcome.wait_for(Option::is_some);
        let outcome = timeout_at(overdue.into(), outcome)
            .await
            .map_err(|_elapsed| WaitError::Overdue)?;
        outcome
            .map_err(|_closed| WaitError::Lost)?
            .clone()
            .ok_or(WaitError::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fetches = Arc<SingleFlight<&'static str, u32>>;

    fn leader(fetches: &Fetches, key: &'static str) -> Leader<&'static str, u32> {
        match fetches.join(&key, Instant::now(), false) {
            Join::Leader(leader) => leader,
            other => panic!("{other:?}"),
        }
    }

    #[actix_web::test]
    async fn one_leads_and_all_followers_get_its_result() {
        let fetches = Fetches::default();
        let before = Instant::now();
        let first = leader(&fetches, "a");
        let waiting: Vec<_> = (0..3)
            .map(|_| match fetches.join(&"a", before, false) {
                Join::Follower { in_flight, .. } => tokio::spawn(in_flight.wait()),
                other => panic!("{other:?}"),
            })
            .collect();
        let other = leader(&fetches, "b");
        assert!(first.begin_storing() && !other.begin_storing());
        assert!(matches!(fetches.join(&"a", before, false), Join::Storing(_)));
        first.finish(7, true);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(7));
        }
        // A request that looked up the key before the result was stored finds it in another lookup. A later one did not find it.
        assert!(matches!(fetches.join(&"a", before, false), Join::Stored));
        assert!(matches!(fetches.join(&"a", Instant::now(), false), Join::Leader(_)));
        // A result that was not stored is not remembered.
        other.finish(8, false);
        assert!(matches!(fetches.join(&"b", before, false), Join::Leader(_)));
    }

    #[actix_web::test]
    async fn a_fetch_that_has_begun_is_replaced_for_a_request_that_needs_a_newer_one() {
        let fetches = Fetches::default();
        let before = Instant::now();
        let early = |other| matches!(other, Join::Follower { early: true, .. });
        let first = leader(&fetches, "a");
        assert!(early(fetches.join(&"a", before, false)) && early(fetches.join(&"a", before, true)));
        first.begin();
        assert!(matches!(
            fetches.join(&"a", before, false),
            Join::Follower { early: false, .. }
        ));
        let Join::Leader(second) = fetches.join(&"a", before, true) else {
            panic!("the first one has begun");
        };
        first.begin();
        assert!(!first.begin_storing());
        assert!(early(fetches.join(&"a", before, true)));
        second.begin();
        second.begin_storing();
        assert!(matches!(fetches.join(&"a", before, true), Join::Leader(_)));
    }

    #[actix_web::test]
    async fn followers_of_a_dropped_leader_get_an_error() {
        let fetches = Fetches::default();
        let lost = leader(&fetches, "a");
        let Join::Follower { in_flight, .. } = fetches.join(&"a", Instant::now(), false) else {
            panic!("there is a leader");
        };
        drop(lost);
        assert_eq!(in_flight.wait().await, Err(WaitError::Lost));
        leader(&fetches, "a");
    }

    /// Makes the fetch in flight overdue.
    fn delay(fetches: &Fetches, key: &'static str) {
        match fetches.0.lock().entries.get_mut(key) {
            Some(Stage::Pending(in_flight) | Stage::Begun(in_flight) | Stage::Storing(in_flight)) => {
                in_flight.began -= MAX_WAIT;
            }
            other => panic!("{other:?}"),
        }
    }

    #[actix_web::test]
    async fn an_overdue_fetch_is_replaced_and_followers_stop_waiting() {
        for is_storing in [false, true] {
            let fetches = Fetches::default();
            let before = Instant::now();
            let stuck = leader(&fetches, "a");
            delay(&fetches, "a");
            if is_storing {
                stuck.begin_storing();
            }
            let successor = leader(&fetches, "a");
            let Join::Follower { in_flight, .. } = fetches.join(&"a", before, false) else {
                panic!("there is a successor");
            };
            // The end of the first fetch does not affect the second.
            stuck.begin_storing();
            assert!(matches!(fetches.join(&"a", before, false), Join::Follower { .. }));
            if is_storing {
                stuck.finish(1, true);
            } else {
                drop(stuck);
            }
            assert!(matches!(fetches.join(&"a", before, false), Join::Follower { .. }));
            successor.finish(2, true);
            assert_eq!(in_flight.wait().await, Ok(2));
        }
        let fetches = Fetches::default();
        let _stuck = leader(&fetches, "a");
        let Join::Follower { mut in_flight, .. } = fetches.join(&"a", Instant::now(), false) else {
            panic!("there is a leader");
        };
        in_flight.began -= MAX_WAIT;
        assert_eq!(in_flight.wait().await, Err(WaitError::Overdue));
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_stored_results_are_forgotten() {
        let fetches = Arc::new(SingleFlight::<usize, u32>::default());
        let now = Instant::now();
        let mut leaders: Vec<_> = (0..MAX_IN_FLIGHT).map(|n| fetches.join(&n, now, false)).collect();
        assert!(matches!(fetches.join(&MAX_IN_FLIGHT, now, false), Join::Full));
        let Some(Join::Leader(leader)) = leaders.pop() else {
            panic!("there is a leader");
        };
        leader.finish(1, true);
        drop(leaders);
        let mut table = fetches.0.lock();
        assert_eq!((table.entries.len(), table.stored.len()), (1, 1));
        table.stored[0].0 -= REMEMBERED * 2;
        let (at, key) = table.stored[0];
        table.entries.insert(key, Stage::Stored(at));
        table.forget_stored();
        assert_eq!((table.entries.len(), table.stored.len()), (0, 0));
    }
}
