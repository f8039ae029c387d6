//! Random interleavings of all changes, sweeps and queries, against a reference without any structure.

use super::*;
use crate::geo::MAX_LATITUDE_DEG;
use crate::live::Applied;
use proptest::prelude::*;
use std::collections::btree_map::Entry;

/// Fewer than there are ids, so that the index is full at times.
const MAX_ENTITIES: usize = 40;
const IDS: u32 = 48;
/// Short, so that entities expire within a sequence.
const SHORT_TTL: i64 = 1_000;

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Apply(Origin, Vec<(u32, Point, i64, i64)>),
    Remove(Origin, u32, i64, i64),
    Sweep,
    /// Writes up to this many unsaved changes to the store.
    Save(usize),
    BeginReload,
    MarkUnsaved(Vec<u32>),
    Get(u32),
    Nearby(Point, f64, usize, Option<i64>),
    Within(Point, Point, usize),
}

/// Few places, so that equal positions and distances are common.
fn place() -> impl Strategy<Value = Point> {
    let lat = prop_oneof![Just(0.0), Just(MAX_LATITUDE_DEG), -0.01..0.01, -85.0..85.0];
    let lon = prop_oneof![Just(180.0), Just(-180.0), Just(179.999), -180.0..180.0];
    prop_oneof![
        3 => (lat, lon).prop_map(|(lat, lon)| at(lat, lon)),
        5 => (0..6_i32, 0..6_i32).prop_map(|(y, x)| at(52.0 + f64::from(y) * 1e-4, 13.0 + f64::from(x) * 1e-4)),
    ]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![3 => Just(Origin::Stored), 2 => Just(Origin::Local), 1 => Just(Origin::Loaded)]
}

/// How long ago a fix was taken, milliseconds: mostly recent, sometimes expired or by a clock that is far ahead.
fn age() -> impl Strategy<Value = i64> {
    prop_oneof![20 => -5..SHORT_TTL + 100, 1 => Just(-500_000_i64)]
}

fn step() -> impl Strategy<Value = Step> {
    let update = (0..IDS, place(), age(), 0..4_i64);
    prop_oneof![
        4 => (0..SHORT_TTL / 2).prop_map(Step::Wait),
        // Longer than one hold of the lock.
        8 => (origin(), prop::collection::vec(update, 1..40)).prop_map(|(origin, updates)| Step::Apply(origin, updates)),
        4 => (origin(), 0..IDS, age(), 0..4_i64).prop_map(|(origin, n, age, us)| Step::Remove(origin, n, age, us)),
        2 => Just(Step::Sweep),
        2 => (1..20_usize).prop_map(Step::Save),
        1 => Just(Step::BeginReload),
        1 => prop::collection::vec(0..IDS, 1..20).prop_map(Step::MarkUnsaved),
        4 => (0..IDS).prop_map(Step::Get),
        4 => (place(), prop_oneof![Just(0.0), 0.0..100.0, 0.0..3e7], 1..30_usize, prop::option::of(0..SHORT_TTL))
            .prop_map(|(center, radius_m, limit, age)| Step::Nearby(center, radius_m, limit, age)),
        4 => (place(), place(), 1..30_usize).prop_map(|(a, b, limit)| Step::Within(a, b, limit)),
    ]
}

/// What the reference holds of an entity; without a fix it is a tombstone.
#[derive(Debug, Clone)]
struct Held {
    fix: Option<Fix>,
    order: (i64, i64),
    is_unsaved: bool,
    /// The reload during which the store last confirmed it.
    generation: u32,
}

#[derive(Debug)]
struct Reference {
    held: BTreeMap<Id, Held>,
    now_ms: i64,
    generation: u32,
}

impl Reference {
    fn is_expired(&self, timestamp_ms: i64) -> bool {
        self.now_ms - timestamp_ms >= SHORT_TTL
    }

    /// Applies a fix, or a removal without one. Returns whether it counts, or `None` if there is no room.
    fn change(&mut self, origin: Origin, id: &Id, fix: Option<Fix>, order: (i64, i64), now_ms: i64) -> Option<bool> {
        let (generation, is_full) = (self.generation, self.held.len() >= MAX_ENTITIES);
        match self.held.entry(id.clone()) {
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(vacant) => {
                let is_unsaved = origin == Origin::Local;
                vacant.insert(Held {
                    fix,
                    order,
                    is_unsaved,
                    generation: if is_unsaved { 0 } else { generation },
                });
                Some(true)
            }
            Entry::Occupied(mut occupied) => {
                let held = occupied.get_mut();
                // From before a clock was set back.
                if held.order.0 > now_ms + 120_000 && order.0 <= now_ms + 120_000 {
                    held.order.0 = i64::MIN;
                }
                let is_newer = order >= held.order;
                match origin {
                    Origin::Local => held.is_unsaved |= is_newer,
                    Origin::Stored | Origin::Loaded if is_newer => {
                        (held.is_unsaved, held.generation) = (false, generation);
                    }
                    Origin::Stored => {}
                    Origin::Loaded => {
                        held.is_unsaved |= held.generation != generation;
                        held.generation = generation;
                    }
                }
                if is_newer {
                    (held.fix, held.order) = (fix, order);
                }
                Some(is_newer)
            }
        }
    }

    fn apply(&mut self, origin: Origin, updates: &[Update]) -> Applied {
        let mut applied = Applied::default();
        for Update { id, fix } in updates {
            let is_refused = origin != Origin::Stored && self.is_expired(fix.timestamp_ms);
            let order = (fix.timestamp_ms, fix.received_us);
            let counts = if is_refused {
                Some(false)
            } else {
                self.change(origin, id, Some(*fix), order, self.now_ms)
            };
            match counts {
                Some(true) => applied.fresh += 1,
                Some(false) => applied.stale += 1,
                None => applied.full += 1,
            }
        }
        applied
    }

    fn remove(&mut self, origin: Origin, id: &Id, removed: Removed) -> bool {
        let was_live = self.held.get(id).is_some_and(|held| held.fix.is_some());
        let order = (removed.at_ms, removed.received_us);
        self.change(origin, id, None, order, removed.at_ms) == Some(true) && was_live
    }

    /// Removes what has expired. Returns the entities that had a position.
    fn sweep(&mut self) -> Vec<Id> {
        let now_ms = self.now_ms;
        let expired = self
            .held
            .extract_if(.., |_, held| now_ms.saturating_sub(held.order.0) >= SHORT_TTL);
        expired
            .filter(|(_, held)| held.fix.is_some())
            .map(|(id, _)| id)
            .collect()
    }

    fn unsaved(&self) -> impl Iterator<Item = (&Id, &Held)> {
        self.held.iter().filter(|(_, held)| held.is_unsaved)
    }

    /// The entities that a query can return.
    fn visible(&self) -> Naive {
        let live = self.held.iter().filter_map(|(id, held)| Some((id, held.fix?)));
        let visible = live.filter(|(_, fix)| !self.is_expired(fix.timestamp_ms));
        let entities = visible.map(|(id, fix)| {
            let entity = Entity {
                id: id.clone(),
                fix,
                profile: None,
            };
            (id.clone(), entity)
        });
        Naive {
            entities: entities.collect(),
        }
    }
}

/// Carries out one step on both and compares what they return.
fn play(index: &LiveIndex, reference: &mut Reference, step: &Step) -> Result<(), TestCaseError> {
    let now_ms = reference.now_ms;
    match step {
        Step::Wait(ms) => reference.now_ms += ms,
        Step::Apply(origin, updates) => {
            let updates: Vec<Update> = updates
                .iter()
                .map(|(n, point, age, received_us)| update(*n, *point, now_ms - age, *received_us))
                .collect();
            prop_assert_eq!(
                index.apply(*origin, &updates, now_ms),
                reference.apply(*origin, &updates)
            );
        }
        Step::Remove(origin, n, age, received_us) => {
            let removed = removed(now_ms - age, *received_us);
            prop_assert_eq!(
                index.remove(*origin, &id(*n), removed),
                reference.remove(*origin, &id(*n), removed)
            );
        }
        Step::Sweep => {
            let mut swept: Vec<Id> = index
                .sweep(now_ms, usize::MAX)
                .into_iter()
                .map(|swept| swept.id)
                .collect();
            swept.sort();
            prop_assert_eq!(swept, reference.sweep());
        }
        Step::Save(count) => {
            let written = index.unsaved(*count);
            prop_assert_eq!(written.len(), reference.unsaved().count().min(*count));
            for unsaved in &written {
                let held = reference.held.get_mut(&unsaved.id).unwrap();
                prop_assert!(held.is_unsaved);
                prop_assert_eq!(
                    (unsaved.timestamp_ms, unsaved.received_us, unsaved.fix),
                    (held.order.0, held.order.1, held.fix)
                );
                held.is_unsaved = false;
            }
            index.mark_saved(&written);
        }
        Step::BeginReload => {
            index.begin_reload();
            reference.generation += 1;
        }
        Step::MarkUnsaved(numbers) => {
            let ids: Vec<Id> = numbers.iter().copied().map(id).collect();
            index.mark_unsaved(&ids);
            for id in &ids {
                let generation = reference.generation;
                if let Some(held) = reference.held.get_mut(id).filter(|held| held.generation != generation) {
                    held.is_unsaved = true;
                }
            }
        }
        Step::Get(n) => {
            let expected = reference.visible().entities.remove(&id(*n));
            prop_assert_eq!(index.get(&id(*n), now_ms), expected);
        }
        Step::Nearby(center, radius_m, limit, max_age_ms) => {
            let mut query = nearest(*center, *radius_m, *limit);
            query.filter.max_age_ms = *max_age_ms;
            prop_assert_eq!(index.nearby(&query, now_ms), reference.visible().nearby(&query, now_ms));
        }
        Step::Within(a, b, limit) => {
            let (south, north) = (a.lat().min(b.lat()), a.lat().max(b.lat()));
            let bounds = BoundingBox::new(a.lon(), south, b.lon(), north).unwrap();
            let mut expected = reference.visible().within(&bounds, &Filter::default(), now_ms);
            let has_more = expected.len() > *limit;
            expected.truncate(*limit);
            prop_assert_eq!(index.within(&inside(bounds, *limit), now_ms), (expected, has_more));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_interleaving_of_changes_and_queries_agrees_with_the_reference(steps in prop::collection::vec(step(), 1..150)) {
        let index = LiveIndex::new(SHORT_TTL, MAX_ENTITIES);
        let mut reference = Reference { held: BTreeMap::new(), now_ms: NOW, generation: 1 };
        for step in &steps {
            play(&index, &mut reference, step)?;
            let live = reference.held.values().filter(|held| held.fix.is_some()).count();
            prop_assert_eq!(
                (index.len(), index.tombstones(), index.unsaved_len()),
                (live, reference.held.len() - live, reference.unsaved().count())
            );
        }
    }
}
