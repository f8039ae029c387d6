//! The live index: the positions of one kind of entity, in memory, for answers in microseconds.
//!
//! The index can be a replica of a store, such as Redis, that several processes share: an [`Origin`] states whether the store has a
//! change, and the index records what is still to be written. The index itself has no connection and no clock; the time is an argument.
//!
//! | part | purpose |
//! |---|---|
//! | `grid`, `tree` | an adaptive octree over 31-bit unit vectors of the sphere: no antimeridian, no poles |
//! | `record`, `slab` | one packed record an entity, in slots that never move |
//! | `id_map`, `slot_set` | id to slot; the slots that wait to be written to the store |
//! | `damage`, `recovery` | what a panic left of a change; recovery from it |
//! | `nearby`, `nearest` | the nearest entities, in one hold of the lock |
//! | `within`, `ranking`, `pieces`, `walk`, `smallest` | the entities in a box, and the nearest of very many, in pieces |
//! | `visible`, `examined` | what a query may return; what it has examined, for tests |
//! | `writes`, `state`, `profiles`, `unsaved`, `sweep` | the changes |
//!
//! **Newest wins**: a change counts if its `(timestamp, received)` is not less than the entity's. An entity that is removed leaves a
//! tombstone with the removal's times, against fixes that arrive late. No other state decides, so all replicas that receive the
//! same changes end up equal, in whatever order and however often they receive them.
//!
//! **Age**: a fix is in no answer once `now − timestamp ≥ ttl`. A negative age (a sender's clock is ahead) counts as 0.
//!
//! **Waiting**: one `RwLock`. Writers hold it for at most 16 changes, readers for a bounded number of entries. No operation under it
//! takes time in proportion to the number of entities.

mod damage;
mod examined;
mod grid;
mod id_map;
mod lock;
mod nearby;
mod nearest;
mod pieces;
mod profiles;
mod ranking;
mod record;
mod recovery;
mod slab;
mod slot_set;
mod smallest;
mod state;
mod sweep;
#[cfg(test)]
mod tests;
mod tree;
mod unsaved;
mod update;
mod visible;
mod walk;
mod within;
mod writes;

pub use ranking::NearbySearch;
pub use sweep::Swept;
pub use unsaved::{Missing, Unsaved};
pub use update::{Applied, Origin, Outcome, Update};
pub use within::WithinSearch;

use crate::model::{Entity, Profile};
use hashbrown::DefaultHashBuilder;
use lock::StateLock;
use state::State;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Changes made in one hold of the lock: some microseconds.
const PIECE: usize = 16;

/// The index of the entities of one kind. All methods take `&self`: share it between threads by reference.
#[derive(Debug)]
pub struct LiveIndex {
    state: StateLock,
    /// Seeded at random, so that no sender can choose ids that collide.
    hasher: DefaultHashBuilder,
    ttl_ms: i64,
    max_entities: usize,
    /// The slot at which the next sweep continues.
    sweep_at: AtomicU32,
    /// The slot at which the next listing of unsaved entities continues.
    unsaved_at: AtomicU32,
    failpoint: fn(&str),
}

impl LiveIndex {
    /// Creates an empty index.
    ///
    /// `ttl_ms` is the time to live of a fix, milliseconds, at least 1. `max_entities` is the most entities and tombstones that the index
    /// holds; it takes memory only for those that exist.
    #[must_use]
    pub fn new(ttl_ms: i64, max_entities: usize) -> Self {
        Self {
            state: StateLock::new(State::new()),
            hasher: DefaultHashBuilder::default(),
            ttl_ms: ttl_ms.max(1),
            max_entities,
            sweep_at: AtomicU32::new(0),
            unsaved_at: AtomicU32::new(0),
            failpoint: |_| {},
        }
    }

    /// Calls a function with the id of each update, in the middle of its change and with the lock held, so that a test can panic there.
    /// A release build does not call it.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_failpoint(mut self, failpoint: fn(&str)) -> Self {
        self.failpoint = failpoint;
        self
    }

    /// Returns an entity with its latest fix, unless the fix has expired or the entity was removed.
    #[must_use]
    pub fn get(&self, id: &str, now_ms: i64) -> Option<Entity> {
        let hash = self.hash(id);
        let state = self.state.read();
        let record = &state.records[state.find(hash, id)?];
        (record.is_live() && !self.is_expired(record.timestamp_ms, now_ms)).then(|| record.entity())
    }

    /// Returns whether the index has a record of an entity: a position, even an expired one, or a removal.
    #[must_use]
    pub fn has_record(&self, id: &str) -> bool {
        let hash = self.hash(id);
        self.state.read().find(hash, id).is_some()
    }

    /// Returns the profile of an entity that the index has a record of, even if its fix has expired or was removed.
    #[must_use]
    pub fn profile(&self, id: &str) -> Option<Arc<Profile>> {
        let hash = self.hash(id);
        let state = self.state.read();
        state.records[state.find(hash, id)?].profile().cloned()
    }

    /// Returns the number of entities with a position, including those that have expired and were not swept yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.read().tree.len()
    }

    /// Returns whether no entity has a position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of tombstones.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        let state = self.state.read();
        state.records.len() - state.tree.len()
    }

    /// Returns the number of slots that a whole sweep examines: those of records, and free ones.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.state.read().records.end() as usize
    }

    /// Returns the memory of the index, bytes, by its containers' capacities. It does not include the overhead of the allocator and the
    /// texts of profiles.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let state = self.state.read();
        size_of::<Self>()
            + state.records.memory_bytes()
            + state.ids.memory_bytes()
            + state.tree.memory_bytes()
            + state.unsaved.memory_bytes()
            + state.heap_bytes
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id.as_bytes())
    }

    const fn is_expired(&self, timestamp_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(timestamp_ms) >= self.ttl_ms
    }
}
