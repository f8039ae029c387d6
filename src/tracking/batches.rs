//! Groups queued fixes into batches for Redis.
//!
//! The fixes of one entity are coalesced: the newest position goes to Redis, with the profile members of all of them. So a batch
//! contains no entity twice, and ten thousand fixes of one entity cost as much as one.

use super::Kind;
use super::commands::{MAX_FIXES, Recorded};
use super::input::{Clock, Report};
use super::model::Fix;
use super::profile::Profile;
use super::ticket::Ticket;
use crate::ids::Id;
use hashbrown::HashMap;

/// A queued fix.
#[derive(Debug)]
pub(super) struct Pending {
    pub kind: Kind,
    pub partition: u16,
    pub id: Id,
    pub report: Report,
    pub ticket: Ticket,
}

/// The coalesced fixes of one entity, as they are sent to Redis.
#[derive(Debug)]
pub(super) struct Coalesced {
    pub id: Id,
    /// The newest fix; of fixes with equal timestamps the last.
    pub fix: Fix,
    /// Whether the fix is older than its time to live: then only its profile members count.
    pub is_expired: bool,
    /// The profile members of all the fixes, with their times.
    pub change: Option<Box<Profile>>,
    /// Whether attributes were left out of the change, because there would be too many.
    pub attributes_left_out: bool,
    /// The ticket of the newest fix.
    pub ticket: Ticket,
    /// The tickets of the other fixes, and whether each fix was the newest when it arrived.
    pub others: Vec<(Ticket, bool)>,
}

/// Fixes of different entities of one kind and partition, at most [`MAX_FIXES`].
#[derive(Debug)]
pub(super) struct Batch {
    pub kind: Kind,
    pub partition: u16,
    pub entities: Vec<Coalesced>,
}

impl Coalesced {
    fn new(id: Id, report: Report, ticket: Ticket, clock: Clock) -> Self {
        let Report { fix, patch, .. } = report;
        Self {
            id,
            fix,
            is_expired: clock.outdates(&fix),
            change: patch.map(|patch| Box::new(patch.at(fix.timestamp_ms))),
            attributes_left_out: false,
            ticket,
            others: Vec::new(),
        }
    }

    /// Adds a later fix of the entity.
    fn add(&mut self, report: Report, ticket: Ticket, clock: Clock) {
        let Report { fix, patch, .. } = report;
        if let Some(patch) = patch {
            let change = patch.at(fix.timestamp_ms);
            match &mut self.change {
                Some(earlier) => self.attributes_left_out |= !earlier.join(&change),
                none => *none = Some(Box::new(change)),
            }
        }
        if fix.timestamp_ms < self.fix.timestamp_ms {
            self.others.push((ticket, false));
            return;
        }
        let replaced = std::mem::replace(&mut self.ticket, ticket);
        // Its sender sees it as stored, unless it was already too old.
        self.others.push((replaced, !self.is_expired));
        self.fix = fix;
        self.is_expired = clock.outdates(&fix);
    }

    /// Returns whether nothing has to be sent to Redis.
    pub const fn is_empty(&self) -> bool {
        self.is_expired && self.change.is_none()
    }

    /// Returns the record that the script receives.
    pub fn recorded(&self) -> Recorded<'_> {
        Recorded {
            id: &self.id,
            fix: (!self.is_expired).then_some(&self.fix),
            change: self.change.as_deref(),
        }
    }
}

/// Groups fixes into batches.
pub(super) fn batches(waiting: Vec<Pending>, clock: impl Fn(Kind) -> Clock) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    // The batch that is being filled, by kind and partition.
    let mut filling: HashMap<(Kind, u16), usize> = HashMap::new();
    let mut places: HashMap<(Kind, Id), (usize, usize)> = HashMap::new();
    let is_alone = waiting.len() == 1;
    for Pending {
        kind,
        partition,
        id,
        report,
        ticket,
    } in waiting
    {
        if let Some((batch, place)) = places.get(&EntityKey(kind, &id)) {
            batches[*batch].entities[*place].add(report, ticket, clock(kind));
            continue;
        }
        let batch = match filling.get(&(kind, partition)) {
            Some(batch) if batches[*batch].entities.len() < MAX_FIXES => *batch,
            _ => {
                batches.push(Batch {
                    kind,
                    partition,
                    entities: Vec::new(),
                });
                filling.insert((kind, partition), batches.len() - 1);
                batches.len() - 1
            }
        };
        let entities = &mut batches[batch].entities;
        if !is_alone {
            places.insert((kind, id.clone()), (batch, entities.len()));
        }
        entities.push(Coalesced::new(id, report, ticket, clock(kind)));
    }
    batches
}

/// A map key that borrows the id of an entity, for lookups.
struct EntityKey<'a>(Kind, &'a Id);

impl std::hash::Hash for EntityKey<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl hashbrown::Equivalent<(Kind, Id)> for EntityKey<'_> {
    fn equivalent(&self, key: &(Kind, Id)) -> bool {
        self.0 == key.0 && *self.1 == key.1
    }
}
