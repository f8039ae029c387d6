//! Computations under way in this process: one for a key, however many wait for it.
//!
//! Nobody is given a value that is older than an invalidation which was acknowledged before they asked. Who asks has read the
//! versions in Redis, and joins a computation only if it began under the same ones; one that did not is left to those who
//! wait for it already, and another takes its place.

use super::error::CacheError;
use super::local::{Local, Marks};
use super::look::Look;
use super::model::Entry;
use super::ticket::Ticket;
use crate::ids::Id;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::Arc;
use tokio::sync::SetOnce;

/// What a computation is of: a key, and the type of the error that it may end with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub namespace: Id,
    pub key: Box<str>,
    pub error: TypeId,
}

/// A computation under way, or ended a moment ago.
#[derive(Debug)]
pub(super) struct Flight {
    /// Where the marks stood before it began.
    marks: Marks,
    // Held for a look or a change, never across an await.
    stage: Mutex<Stage>,
    pub outcome: SetOnce<Outcome>,
}

#[derive(Debug)]
enum Stage {
    /// The computation has not begun: whoever comes now came before it.
    Boarding,
    /// It has, under this ticket.
    Ticketed(Ticket),
    /// It has, with Redis away.
    Unsaved,
}

/// What a computation came to; cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// A value.
    Made(Entry),
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
    Joined(Arc<Flight>),
    /// One that this caller has to begin.
    Started(Arc<Flight>),
    /// One that began before something was invalidated, or seems to have.
    Outdated,
    /// As many are under way as may be.
    Full,
}

impl Flight {
    /// The computation begins now.
    pub(super) fn depart(&self, ticket: Option<Ticket>) {
        *self.stage.lock() = ticket.map_or(Stage::Unsaved, Stage::Ticketed);
    }

    pub(super) fn land(&self, outcome: Outcome) {
        // A second attempt finds it set.
        let _ = self.outcome.set(outcome);
    }

    /// Whether nothing that the computation depends on has been invalidated since it began, as far as the caller has seen.
    fn admits(&self, view: View<'_>, local: &Local) -> bool {
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
            (Stage::Unsaved, View::Look(_)) => false,
            // What this process has heard is all there is.
            (Stage::Ticketed(_) | Stage::Unsaved, View::Away) => local.is_untouched(&self.marks),
        }
    }
}

/// The computations under way in a process.
#[derive(Debug)]
pub(super) struct Flights {
    // Held for a look or a change, never across an await.
    table: Mutex<HashMap<Destination, Arc<Flight>>>,
    most: usize,
}

impl Flights {
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Mutex::default(),
            most,
        }
    }

    /// Finds the computation for one who has seen `view`. `replace`: takes the place of one that is outdated.
    pub(super) fn board(
        &self,
        destination: &Destination,
        view: View<'_>,
        marks: &Marks,
        local: &Local,
        replace: bool,
    ) -> Boarding {
        let mut table = self.table.lock();
        let count = table.len();
        let flight = || {
            Arc::new(Flight {
                marks: marks.clone(),
                stage: Mutex::new(Stage::Boarding),
                outcome: SetOnce::new(),
            })
        };
        match table.entry(destination.clone()) {
            Place::Occupied(place) if place.get().admits(view, local) => Boarding::Joined(Arc::clone(place.get())),
            Place::Occupied(mut place) if replace => {
                place.insert(flight());
                Boarding::Started(Arc::clone(place.get()))
            }
            Place::Occupied(_) => Boarding::Outdated,
            Place::Vacant(_) if count >= self.most => Boarding::Full,
            Place::Vacant(place) => Boarding::Started(Arc::clone(place.insert(flight()))),
        }
    }

    /// How many are under way.
    pub(super) fn count(&self) -> usize {
        self.table.lock().len()
    }

    /// Takes one out that has ended, unless another has its place.
    pub(super) fn remove(&self, destination: &Destination, flight: &Arc<Flight>) {
        let mut table = self.table.lock();
        if table.get(destination).is_some_and(|there| Arc::ptr_eq(there, flight)) {
            table.remove(destination);
        }
    }
}
