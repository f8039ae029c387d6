//! What this instance has done, by namespace.

use crate::ids::Id;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use utoipa::ToSchema;

/// The maximum number of namespaces with counts of their own; all others share theirs.
const NAMESPACES: usize = 256;
/// The name of the shared counts. It is not a valid namespace.
const OTHERS: &str = "*";

/// A number that only the stats read.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a namespace.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub local_hits: Count,
    pub shared_hits: Count,
    pub stale: Count,
    pub misses: Count,
    pub errors: Count,
    pub corrupt: Count,
    pub computed: Count,
    pub failed: Count,
    pub saved: Count,
    pub early: Count,
    pub stored: Count,
    pub superseded: Count,
    pub local_served: Count,
    pub shared_served: Count,
    pub stored_bytes: Count,
    pub local_bytes: Count,
}

/// What this instance has done since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CacheStats)]
pub struct Stats {
    /// All namespaces together.
    pub total: NamespaceStats,
    /// Each by its name, from when something was found or written in it; of many the first 256, and the others together under
    /// `*`.
    pub namespaces: BTreeMap<String, NamespaceStats>,
    /// This instance's own memory.
    pub local: LocalStats,
    /// Computations under way.
    pub computing: usize,
}

/// An instance's own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LocalStats {
    /// Entries in it, roughly.
    pub entries: u64,
    /// The memory that they use, bytes, roughly.
    pub bytes: u64,
    /// What they may take.
    pub max_bytes: u64,
    /// Whether this instance is subscribed to invalidations; if not, its memory is empty. It subscribes when something is to be kept in
    /// memory for the first time, or when Redis is too slow for the response cache.
    pub listening: bool,
}

/// What this instance has done in a namespace since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamespaceStats {
    /// Fresh entries found in this instance's own memory.
    pub local_hits: u64,
    /// Fresh entries found in Redis.
    pub shared_hits: u64,
    /// Stale entries served.
    pub stale_hits: u64,
    /// Reads that found no valid entry.
    pub misses: u64,
    /// Reads that Redis did not answer.
    pub errors: u64,
    /// Reads that found something that is not an entry.
    pub corrupt: u64,
    /// Computations that returned a value.
    pub computed: u64,
    /// Computations that failed.
    pub failed: u64,
    /// Computations that another one in progress made unnecessary.
    pub computations_saved: u64,
    /// Computations begun before the time of the entry was over.
    pub refreshed_early: u64,
    /// Values written to Redis.
    pub stored: u64,
    /// Computed values that were not written, because what they depend on had changed in the meantime.
    pub superseded: u64,
    /// Bytes served from this instance's own memory.
    pub local_served_bytes: u64,
    /// Bytes served from Redis.
    pub shared_served_bytes: u64,
    /// Bytes written to Redis.
    pub stored_bytes: u64,
    /// Bytes in this instance's own memory now, roughly.
    pub local_bytes: u64,
}

impl Counts {
    fn read(&self) -> NamespaceStats {
        NamespaceStats {
            local_hits: self.local_hits.get(),
            shared_hits: self.shared_hits.get(),
            stale_hits: self.stale.get(),
            misses: self.misses.get(),
            errors: self.errors.get(),
            corrupt: self.corrupt.get(),
            computed: self.computed.get(),
            failed: self.failed.get(),
            computations_saved: self.saved.get(),
            refreshed_early: self.early.get(),
            stored: self.stored.get(),
            superseded: self.superseded.get(),
            local_served_bytes: self.local_served.get(),
            shared_served_bytes: self.shared_served.get(),
            stored_bytes: self.stored_bytes.get(),
            local_bytes: self.local_bytes.get(),
        }
    }
}

impl NamespaceStats {
    fn plus(self, other: &Self) -> Self {
        Self {
            local_hits: self.local_hits + other.local_hits,
            shared_hits: self.shared_hits + other.shared_hits,
            stale_hits: self.stale_hits + other.stale_hits,
            misses: self.misses + other.misses,
            errors: self.errors + other.errors,
            corrupt: self.corrupt + other.corrupt,
            computed: self.computed + other.computed,
            failed: self.failed + other.failed,
            computations_saved: self.computations_saved + other.computations_saved,
            refreshed_early: self.refreshed_early + other.refreshed_early,
            stored: self.stored + other.stored,
            superseded: self.superseded + other.superseded,
            local_served_bytes: self.local_served_bytes + other.local_served_bytes,
            shared_served_bytes: self.shared_served_bytes + other.shared_served_bytes,
            stored_bytes: self.stored_bytes + other.stored_bytes,
            local_bytes: self.local_bytes + other.local_bytes,
        }
    }
}

/// The counts of all namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    // Locked for a lookup or an insertion, never across an await. The level in this process does not use it.
    by_name: RwLock<HashMap<Id, Arc<Counts>>>,
    others: Arc<Counts>,
}

impl Namespaces {
    /// Returns the counts of a namespace in which something is stored or computed. It gets counts of its own, unless too many have.
    pub(super) fn of(&self, namespace: &Id) -> Arc<Counts> {
        if let Some(counts) = self.by_name.read().get(namespace) {
            return Arc::clone(counts);
        }
        let mut by_name = self.by_name.write();
        if by_name.len() >= NAMESPACES && !by_name.contains_key(namespace) {
            return Arc::clone(&self.others);
        }
        Arc::clone(by_name.entry(namespace.clone()).or_default())
    }

    /// Returns the counts of a namespace that may not exist. It does not get counts of its own, so that reads of arbitrary namespaces do not
    /// use up the maximum.
    pub(super) fn if_named(&self, namespace: &Id) -> Arc<Counts> {
        let by_name = self.by_name.read();
        Arc::clone(by_name.get(namespace).unwrap_or(&self.others))
    }

    /// Each namespace by its name, the rest under `*`, and all together.
    pub(super) fn read(&self) -> (BTreeMap<String, NamespaceStats>, NamespaceStats) {
        let by_name = self.by_name.read();
        let named = by_name.iter().map(|(name, counts)| (name.to_string(), counts.read()));
        let mut all: BTreeMap<_, _> = named.collect();
        let others = self.others.read();
        if others != NamespaceStats::default() {
            all.insert(OTHERS.to_owned(), others);
        }
        let total = all.values().fold(NamespaceStats::default(), NamespaceStats::plus);
        (all, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_beyond_the_bound_are_counted_together() {
        let namespaces = Namespaces::default();
        let name = |n| Id::parse(&format!("n{n}")).unwrap();
        for n in 0..NAMESPACES + 10 {
            namespaces.of(&name(n)).misses.add(1);
        }
        let (all, total) = namespaces.read();
        assert_eq!(all.len(), NAMESPACES + 1);
        assert_eq!(all["*"].misses, 10);
        assert_eq!(total.misses, 266);
    }

    #[test]
    fn reads_of_missing_namespaces_do_not_use_up_the_maximum() {
        let namespaces = Namespaces::default();
        let name = |n| Id::parse(&format!("n{n}")).unwrap();
        for n in 0..NAMESPACES {
            namespaces.if_named(&name(n)).misses.add(1);
        }
        namespaces.of(&name(7)).stored.add(1);
        namespaces.if_named(&name(7)).misses.add(1);
        let (all, total) = namespaces.read();
        assert_eq!(all.len(), 2);
        assert_eq!((all["n7"].misses, all["*"].misses, total.misses), (1, 256, 257));
    }
}
