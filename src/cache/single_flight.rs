//! Computations in progress in this process: one for a key, however many callers wait for it.
//!
//! No caller gets a value that is older than an invalidation that was acknowledged before its call. A caller has read the
//! versions in Redis, and joins a computation only if it began under the same versions. An outdated computation is left to the
//! callers that already wait for it, and a new one replaces it. Some dependencies are only known at the end, such as tags that
//! the computation names itself. They matter to followers that joined after it had begun: these read Redis again, and after some
//! rounds join only a computation that has not begun.
//!
//! If Redis is unavailable or refuses writes, there is no ticket to compare with. Then two things are compared: what was read when the
//! computation began, and the invalidations that this process has received. A follower may miss an invalidation that another
//! instance acknowledged for a key that had no version in Redis.

use super::entry::{Nonce, Version};
use super::error::CacheError;
use super::key_state::KeyState;
use super::local::{Local, Marks};
use super::model::{Entry, Name, Tag};
use super::ticket::{TICKET_LIFE, Ticket};
use crate::ids::Id;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::SetOnce;

/// Identifies a computation: the cache key, and the type of the error that it may end with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ComputationKey {
    pub namespace: Id,
    pub key: Box<str>,
    pub error: TypeId,
}

impl ComputationKey {
    pub(super) fn name(&self) -> Result<Name<'_>, CacheError> {
        Name::new(&self.namespace, &self.key)
    }
}

/// A computation that is in progress or has just ended.
#[derive(Debug)]
pub(super) struct InFlight {
    /// The marks before it began.
    marks: Marks,
    /// What Redis had then; `None` if Redis was unavailable.
    base: Option<Base>,
    began: Instant,
    // Never locked across an await.
    stage: Mutex<Stage>,
    pub outcome: SetOnce<Outcome>,
}

/// What was read from Redis when a computation began.
#[derive(Debug)]
struct Base {
    nonce: Option<Nonce>,
    namespace: Option<Nonce>,
    tags: Vec<(Tag, Option<Nonce>)>,
    now_ms: u64,
}

impl Base {
    fn of(state: &KeyState) -> Self {
        let tags = state.tags.iter();
        Self {
            nonce: state.nonce,
            namespace: state.namespace.map(|version| version.nonce),
            tags: tags
                .map(|(tag, version)| (tag.clone(), version.map(|version| version.nonce)))
                .collect(),
            now_ms: state.now_ms,
        }
    }

    /// Returns whether a later read found the same.
    fn is_in(&self, state: &KeyState) -> bool {
        let same = |now: Option<&Version>, then: Option<Nonce>| match (now, then) {
            (Some(now), Some(then)) => now.upholds(then, self.now_ms),
            (now, then) => now.is_none() && then.is_none(),
        };
        let mut tags = self.tags.iter();
        state.nonce == self.nonce
            && same(state.namespace.as_ref(), self.namespace)
            && tags.all(|(tag, then)| same(state.version_of(tag), *then))
    }
}

#[derive(Debug)]
enum Stage {
    /// The computation has not begun. Followers that join now arrived before it.
    Pending,
    /// It has begun, with this ticket.
    Ticketed(Ticket),
    /// It has begun without a ticket: Redis is unavailable, or refuses writes.
    Unsaved,
}

/// The result of a computation; cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// A value.
    Made {
        entry: Entry,
        /// Whether all followers may take it. Otherwise only those that arrived before the computation began; the others read again,
        /// because something that it depends on may have been invalidated before they arrived.
        for_all: bool,
    },
    /// A value that another instance has stored. It was read before some followers arrived, so followers read again.
    Found(Entry),
    /// Its own error, of the type in the key.
    Failed(Arc<dyn Any + Send + Sync>),
    /// It did not begin, for this reason.
    Refused(CacheError),
    /// It ended without a result.
    Lost,
}

/// What the caller has read.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    /// The state of the key in Redis.
    Read(&'a KeyState),
    /// Nothing, because Redis is unavailable.
    Unavailable,
}

/// The answer to a caller that wants a value.
#[derive(Debug)]
pub(super) enum Join {
    /// Another caller leads the computation.
    Follower {
        in_flight: Arc<InFlight>,
        /// Whether the computation has not begun, so that its result is newer than the caller's request.
        early: bool,
    },
    /// The caller leads the computation and has to start it.
    Leader(Arc<InFlight>),
    /// There is one that began before an invalidation, or may have.
    Outdated,
    /// The maximum number of computations is in flight.
    Full,
}

/// Which computation in flight the caller may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Replace {
    /// Only one that is overdue.
    Overdue,
    /// One that is outdated.
    Outdated,
    /// Any that has begun.
    Begun,
}

impl InFlight {
    /// Notes that the computation begins now.
    pub(super) fn begin(&self, ticket: Option<Ticket>) {
        *self.stage.lock() = ticket.map_or(Stage::Unsaved, Stage::Ticketed);
    }

    /// Sets the result. Returns whether there was none before.
    pub(super) fn finish(&self, outcome: Outcome) -> bool {
        self.outcome.set(outcome).is_ok()
    }

    /// The ticket, if the computation has begun under one.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match &*self.stage.lock() {
            Stage::Ticketed(ticket) => Some(ticket.clone()),
            Stage::Pending | Stage::Unsaved => None,
        }
    }

    /// When followers stop waiting: a later value is not stored.
    pub(super) fn overdue(&self) -> Instant {
        self.began + TICKET_LIFE
    }

    fn is_overdue(&self) -> bool {
        Instant::now() >= self.overdue()
    }

    fn is_pending(&self) -> bool {
        matches!(&*self.stage.lock(), Stage::Pending)
    }

    /// Returns whether the caller may join: nothing that the computation depends on has been invalidated since it began, as far as the
    /// caller has read.
    fn admits(&self, view: View<'_>, local: &Local) -> bool {
        if self.is_overdue() {
            return false;
        }
        match (&*self.stage.lock(), view) {
            (Stage::Pending, _) => true,
            (Stage::Ticketed(ticket), View::Read(state)) => {
                let namespace = state.namespace.as_ref();
                state.nonce == Some(ticket.nonce)
                    && namespace.is_some_and(|version| version.upholds(ticket.namespace, ticket.made_ms))
                    && ticket.tags.iter().all(|(tag, nonce)| {
                        let version = state.version_of(tag);
                        version.is_some_and(|version| version.upholds(*nonce, ticket.made_ms))
                    })
            }
            (Stage::Unsaved, View::Read(state)) => {
                self.base.as_ref().is_some_and(|base| base.is_in(state)) && local.is_untouched(&self.marks)
            }
            // Only the invalidations that this process has received can be compared.
            (Stage::Unsaved, View::Unavailable) if self.base.is_none() => local.is_untouched(&self.marks),
            // Redis was available when it began, so other instances may have invalidated something since.
            (Stage::Ticketed(_) | Stage::Unsaved, View::Unavailable) => {
                local.is_subscribed() && local.are_current(&self.marks)
            }
        }
    }
}

/// The computations in flight in a process.
#[derive(Debug)]
pub(super) struct SingleFlight {
    // Never locked across an await.
    table: Mutex<Table>,
    most: usize,
}

#[derive(Debug, Default)]
struct Table {
    single_flight: HashMap<ComputationKey, Arc<InFlight>>,
    /// Includes those that were replaced.
    running: usize,
}

impl SingleFlight {
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Mutex::default(),
            most,
        }
    }

    /// Joins or leads the computation of a key. A computation that is led counts until [`Self::end`].
    pub(super) fn join(
        &self,
        key: &ComputationKey,
        view: View<'_>,
        marks: &Marks,
        local: &Local,
        replace: Replace,
    ) -> Join {
        let mut table = self.table.lock();
        let Table { single_flight, running } = &mut *table;
        if let Some(there) = single_flight.get(key) {
            let early = there.is_pending();
            if there.admits(view, local) && (early || replace < Replace::Begun) {
                let in_flight = Arc::clone(there);
                return Join::Follower { in_flight, early };
            }
            if replace == Replace::Overdue && !there.is_overdue() {
                return Join::Outdated;
            }
        }
        if *running >= self.most {
            return Join::Full;
        }
        *running += 1;
        let in_flight = Arc::new(InFlight {
            marks: marks.clone(),
            base: match view {
                View::Read(state) => Some(Base::of(state)),
                View::Unavailable => None,
            },
            began: Instant::now(),
            stage: Mutex::new(Stage::Pending),
            outcome: SetOnce::new(),
        });
        single_flight.insert(key.clone(), Arc::clone(&in_flight));
        Join::Leader(in_flight)
    }

    /// Returns how many computations are in flight.
    pub(super) fn count(&self) -> usize {
        self.table.lock().running
    }

    /// Removes one that has ended, unless another has replaced it.
    pub(super) fn remove(&self, key: &ComputationKey, in_flight: &Arc<InFlight>) {
        let single_flight = &mut self.table.lock().single_flight;
        if single_flight
            .get(key)
            .is_some_and(|there| Arc::ptr_eq(there, in_flight))
        {
            single_flight.remove(key);
        }
    }

    /// Notes that one has ended, with or without a result.
    pub(super) fn end(&self) {
        let running = &mut self.table.lock().running;
        *running = running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The computations of a process without a level in memory, and the key of one.
    struct Bench {
        single_flight: SingleFlight,
        local: Local,
        key: ComputationKey,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                single_flight: SingleFlight::new(10),
                local: Local::new(0, Duration::ZERO),
                key: ComputationKey {
                    namespace: Id::parse("n").unwrap(),
                    key: "k".into(),
                    error: TypeId::of::<()>(),
                },
            }
        }

        fn join(&self, replace: Replace) -> Join {
            let marks = self.local.marks(&self.key.name().unwrap(), []);
            let single_flight = &self.single_flight;
            single_flight.join(&self.key, View::Unavailable, &marks, &self.local, replace)
        }

        fn start(&self) -> Arc<InFlight> {
            match self.join(Replace::Overdue) {
                Join::Leader(in_flight) => in_flight,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_computation_that_has_begun_is_replaced_for_a_caller_that_needs_a_newer_value() {
        let bench = Bench::new();
        let first = bench.start();
        assert!(matches!(bench.join(Replace::Begun), Join::Follower { early: true, .. }));
        first.begin(None);
        assert!(matches!(
            bench.join(Replace::Outdated),
            Join::Follower { early: false, .. }
        ));
        assert!(matches!(bench.join(Replace::Begun), Join::Leader(_)));
        // All callers may join the new one.
        assert!(matches!(bench.join(Replace::Begun), Join::Follower { early: true, .. }));
    }

    #[test]
    fn an_overdue_computation_is_replaced() {
        let bench = Bench::new();
        let first = bench.start();
        first.begin(None);
        // Its key was invalidated: later callers may not join it, and it is not replaced yet.
        bench.local.forget(bench.key.name().unwrap().subject, None);
        assert!(matches!(bench.join(Replace::Overdue), Join::Outdated));
        let long_ago = InFlight {
            marks: first.marks.clone(),
            base: None,
            began: first.began.checked_sub(TICKET_LIFE).unwrap(),
            stage: Mutex::new(Stage::Unsaved),
            outcome: SetOnce::new(),
        };
        let table = &bench.single_flight.table;
        table.lock().single_flight.insert(bench.key.clone(), Arc::new(long_ago));
        bench.start();
        assert!(matches!(bench.join(Replace::Overdue), Join::Follower { .. }));
    }
}
