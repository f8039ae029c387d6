//! Computations under way in this process: one for a key, however many wait for it.
//!
//! Nobody is given a value that is older than an invalidation which was acknowledged before they asked. Who asks has read the
//! versions in Redis, and joins a computation only if it began under the same ones; one that did not is left to those who
//! wait for it already, and another takes its place. What only the end of a computation tells, such as the tags that it names
//! itself, counts for those alone who joined after it had begun: they look up once more, and after some rounds of that
//! take only one that has not begun.
//!
//! With Redis away, or there and refusing writes, there is no ticket to compare with. Then what was read when the computation
//! began is compared, and what this process has heard: an invalidation that another instance had acknowledged of something
//! that nobody could write down may be missed by those who join.

use super::entry::{Nonce, Version};
use super::error::CacheError;
use super::local::{Local, Marks};
use super::look::Look;
use super::model::{Entry, Name, Tag};
use super::ticket::{TICKET_LIFE, Ticket};
use crate::ids::Id;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::SetOnce;

/// What a computation is of: a key, and the type of the error that it may end with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub namespace: Id,
    pub key: Box<str>,
    pub error: TypeId,
}

impl Destination {
    pub(super) fn name(&self) -> Result<Name<'_>, CacheError> {
        Name::new(&self.namespace, &self.key)
    }
}

/// A computation under way, or ended a moment ago.
#[derive(Debug)]
pub(super) struct Flight {
    /// Where the marks stood before it began.
    marks: Marks,
    /// What lay in Redis then; `None` with Redis away.
    base: Option<Base>,
    began: Instant,
    // Held for a look or a change, never across an await.
    stage: Mutex<Stage>,
    pub outcome: SetOnce<Outcome>,
}

/// What a look showed.
#[derive(Debug)]
struct Base {
    nonce: Option<Nonce>,
    namespace: Option<Nonce>,
    tags: Vec<(Tag, Option<Nonce>)>,
    now_ms: u64,
}

impl Base {
    fn of(look: &Look) -> Self {
        let tags = look.tags.iter();
        Self {
            nonce: look.nonce,
            namespace: look.namespace.map(|version| version.nonce),
            tags: tags
                .map(|(tag, version)| (tag.clone(), version.map(|version| version.nonce)))
                .collect(),
            now_ms: look.now_ms,
        }
    }

    /// Whether another look shows the same.
    fn is_in(&self, look: &Look) -> bool {
        let same = |now: Option<&Version>, then: Option<Nonce>| match (now, then) {
            (Some(now), Some(then)) => now.upholds(then, self.now_ms),
            (now, then) => now.is_none() && then.is_none(),
        };
        let mut tags = self.tags.iter();
        look.nonce == self.nonce
            && same(look.namespace.as_ref(), self.namespace)
            && tags.all(|(tag, then)| same(look.version_of(tag), *then))
    }
}

#[derive(Debug)]
enum Stage {
    /// The computation has not begun: whoever comes now came before it.
    Boarding,
    /// It has, under this ticket.
    Ticketed(Ticket),
    /// It has, without a ticket: Redis is away, or refuses writes.
    Unsaved,
}

/// What a computation came to; cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// A value.
    Made {
        entry: Entry,
        /// Whether it is good for all who wait. If not it is for those who asked before the computation began; the others
        /// look again, because something that it depends on may have been invalidated before they asked.
        for_all: bool,
    },
    /// What another instance had stored meanwhile. It was found by a look of before some of those who joined asked: they
    /// look again.
    Found(Entry),
    /// Its own error, of the type that the destination names.
    Failed(Arc<dyn Any + Send + Sync>),
    /// It was not begun, because of this.
    Refused(CacheError),
    /// It ended without a result.
    Lost,
}

/// What one who asks has seen before.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    /// What lies in Redis.
    Look(&'a Look),
    /// That Redis is away.
    Away,
}

/// What there is for one who asks.
#[derive(Debug)]
pub(super) enum Boarding {
    /// A computation that somebody began.
    Joined {
        flight: Arc<Flight>,
        /// Whether it has not begun to compute, so that whatever it comes to was made after the caller asked.
        early: bool,
    },
    /// One that this caller has to begin.
    Started(Arc<Flight>),
    /// One that began before something was invalidated, or seems to have.
    Outdated,
    /// As many are under way as may be.
    Full,
}

/// Which computation under way gives its place to one that the caller begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Replace {
    /// Only one that is overdue.
    Overdue,
    /// One that is outdated.
    Outdated,
    /// Any that has begun to compute.
    Begun,
}

impl Flight {
    /// The computation begins now.
    pub(super) fn depart(&self, ticket: Option<Ticket>) {
        *self.stage.lock() = ticket.map_or(Stage::Unsaved, Stage::Ticketed);
    }

    /// Returns whether it had not landed before.
    pub(super) fn land(&self, outcome: Outcome) -> bool {
        self.outcome.set(outcome).is_ok()
    }

    /// The ticket, if the computation has begun under one.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match &*self.stage.lock() {
            Stage::Ticketed(ticket) => Some(ticket.clone()),
            Stage::Boarding | Stage::Unsaved => None,
        }
    }

    /// When those who joined wait no longer: what comes later is not stored.
    pub(super) fn overdue(&self) -> Instant {
        self.began + TICKET_LIFE
    }

    fn is_overdue(&self) -> bool {
        Instant::now() >= self.overdue()
    }

    fn is_boarding(&self) -> bool {
        matches!(&*self.stage.lock(), Stage::Boarding)
    }

    /// Whether nothing that the computation depends on has been invalidated since it began, as far as the caller has seen.
    fn admits(&self, view: View<'_>, local: &Local) -> bool {
        if self.is_overdue() {
            return false;
        }
        match (&*self.stage.lock(), view) {
            (Stage::Boarding, _) => true,
            (Stage::Ticketed(ticket), View::Look(look)) => {
                let namespace = look.namespace.as_ref();
                look.nonce == Some(ticket.nonce)
                    && namespace.is_some_and(|version| version.upholds(ticket.namespace, ticket.made_ms))
                    && ticket.tags.iter().all(|(tag, nonce)| {
                        let version = look.version_of(tag);
                        version.is_some_and(|version| version.upholds(*nonce, ticket.made_ms))
                    })
            }
            (Stage::Unsaved, View::Look(look)) => {
                self.base.as_ref().is_some_and(|base| base.is_in(look)) && local.is_untouched(&self.marks)
            }
            // What this process has heard is all there is.
            (Stage::Unsaved, View::Away) if self.base.is_none() => local.is_untouched(&self.marks),
            // It began with Redis there, and others may have invalidated something since.
            (Stage::Ticketed(_) | Stage::Unsaved, View::Away) => local.is_heard() && local.stand(&self.marks),
        }
    }
}

/// The computations under way in a process.
#[derive(Debug)]
pub(super) struct Flights {
    // Held for a look or a change, never across an await.
    table: Mutex<Table>,
    most: usize,
}

#[derive(Debug, Default)]
struct Table {
    flights: HashMap<Destination, Arc<Flight>>,
    /// Those that others have taken the place of as well.
    running: usize,
}

impl Flights {
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Mutex::default(),
            most,
        }
    }

    /// Finds the computation for one who has seen `view`. One that is started counts until [`Self::end`].
    pub(super) fn board(
        &self,
        destination: &Destination,
        view: View<'_>,
        marks: &Marks,
        local: &Local,
        replace: Replace,
    ) -> Boarding {
        let mut table = self.table.lock();
        let Table { flights, running } = &mut *table;
        if let Some(there) = flights.get(destination) {
            let early = there.is_boarding();
            if there.admits(view, local) && (early || replace < Replace::Begun) {
                let flight = Arc::clone(there);
                return Boarding::Joined { flight, early };
            }
            if replace == Replace::Overdue && !there.is_overdue() {
                return Boarding::Outdated;
            }
        }
        if *running >= self.most {
            return Boarding::Full;
        }
        *running += 1;
        let flight = Arc::new(Flight {
            marks: marks.clone(),
            base: match view {
                View::Look(look) => Some(Base::of(look)),
                View::Away => None,
            },
            began: Instant::now(),
            stage: Mutex::new(Stage::Boarding),
            outcome: SetOnce::new(),
        });
        flights.insert(destination.clone(), Arc::clone(&flight));
        Boarding::Started(flight)
    }

    /// How many are under way.
    pub(super) fn count(&self) -> usize {
        self.table.lock().running
    }

    /// Takes one out that has ended, unless another has its place.
    pub(super) fn remove(&self, destination: &Destination, flight: &Arc<Flight>) {
        let flights = &mut self.table.lock().flights;
        if flights.get(destination).is_some_and(|there| Arc::ptr_eq(there, flight)) {
            flights.remove(destination);
        }
    }

    /// One that was started is over, whatever came of it.
    pub(super) fn end(&self) {
        let running = &mut self.table.lock().running;
        *running = running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The flights of a process without a level of its own, and where one goes.
    struct Bench {
        flights: Flights,
        local: Local,
        destination: Destination,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                flights: Flights::new(10),
                local: Local::new(0, Duration::ZERO),
                destination: Destination {
                    namespace: Id::parse("n").unwrap(),
                    key: "k".into(),
                    error: TypeId::of::<()>(),
                },
            }
        }

        fn board(&self, replace: Replace) -> Boarding {
            let marks = self.local.marks(&self.destination.name().unwrap(), []);
            let flights = &self.flights;
            flights.board(&self.destination, View::Away, &marks, &self.local, replace)
        }

        fn start(&self) -> Arc<Flight> {
            match self.board(Replace::Overdue) {
                Boarding::Started(flight) => flight,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn one_that_has_begun_gives_its_place_to_who_wants_none_that_has() {
        let bench = Bench::new();
        let first = bench.start();
        assert!(matches!(
            bench.board(Replace::Begun),
            Boarding::Joined { early: true, .. }
        ));
        first.depart(None);
        assert!(matches!(
            bench.board(Replace::Outdated),
            Boarding::Joined { early: false, .. }
        ));
        assert!(matches!(bench.board(Replace::Begun), Boarding::Started(_)));
        // That one all of them may have.
        assert!(matches!(
            bench.board(Replace::Begun),
            Boarding::Joined { early: true, .. }
        ));
    }

    #[test]
    fn one_that_is_overdue_gives_its_place_to_whoever_comes() {
        let bench = Bench::new();
        let first = bench.start();
        first.depart(None);
        // Something happened to what it is of: it is not for who comes, and keeps its place.
        bench.local.forget(bench.destination.name().unwrap().subject, None);
        assert!(matches!(bench.board(Replace::Overdue), Boarding::Outdated));
        let long_ago = Flight {
            marks: first.marks.clone(),
            base: None,
            began: first.began.checked_sub(TICKET_LIFE).unwrap(),
            stage: Mutex::new(Stage::Unsaved),
            outcome: SetOnce::new(),
        };
        let table = &bench.flights.table;
        table
            .lock()
            .flights
            .insert(bench.destination.clone(), Arc::new(long_ago));
        bench.start();
        assert!(matches!(bench.board(Replace::Overdue), Boarding::Joined { .. }));
    }
}
