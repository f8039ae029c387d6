//! Compares queries with the reference, for places that are random, crowded or at a limit.

use super::*;
use crate::geo::{MAX_LATITUDE_DEG, destination};
use crate::live::examined::max_in_one_hold;
use proptest::prelude::*;
use std::slice;

/// Places where a naive index goes wrong, and ordinary ones.
fn place() -> impl Strategy<Value = Point> {
    let lon = prop_oneof![
        Just(180.0),
        Just(-180.0),
        Just(0.0),
        -180.0..=180.0,
        179.99..=180.0,
        -180.0..=-179.99
    ];
    let lat = prop_oneof![
        Just(MAX_LATITUDE_DEG),
        Just(-MAX_LATITUDE_DEG),
        Just(0.0),
        -85.0..=85.0,
        85.04..=MAX_LATITUDE_DEG
    ];
    let anywhere = (lat, lon).prop_map(|(lat, lon)| at(lat, lon));
    // A coarse lattice downtown makes equal places and equal distances common.
    let downtown =
        (-12..=12_i32, -12..=12_i32).prop_map(|(y, x)| at(40.75 + f64::from(y) * 0.001, -73.98 + f64::from(x) * 0.001));
    let dateline = (-0.01..0.01, -0.01..0.01).prop_map(|(lat, dlon): (f64, f64)| {
        let lon = if dlon < 0.0 { 180.0 + dlon } else { -180.0 + dlon };
        at(lat, lon)
    });
    prop_oneof![3 => anywhere, 4 => downtown, 2 => dateline]
}

fn radius() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        0.0..50.0,
        50.0..3_000.0,
        3_000.0..200_000.0,
        200_000.0..25_000_000.0,
        Just(f64::INFINITY)
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let max_age_ms = prop::option::weighted(0.3, 0..TTL + 1000);
    let statuses = prop_oneof![
        Just(vec![]),
        Just(vec!["free".into()]),
        Just(vec!["free".into(), "busy".into()])
    ];
    let min_capacity = prop::option::weighted(0.2, 0..6_u32);
    (max_age_ms, statuses, min_capacity).prop_map(|(max_age_ms, statuses, min_capacity)| Filter {
        max_age_ms,
        statuses,
        min_capacity,
        ..Filter::default()
    })
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32, Point, i64),
    Remove(u32),
    Describe(u32, bool, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..150_u32, place(), -1_000..TTL + 10).prop_map(|(n, p, age)| Step::Put(n, p, age)),
        1 => (0..150_u32).prop_map(Step::Remove),
        3 => (0..150_u32, any::<bool>(), 0..6_u32).prop_map(|(n, free, capacity)| Step::Describe(n, free, capacity)),
    ]
}

/// Plays steps on both indexes. Newest-wins has tests of its own, so here every step is the newest of its entity.
fn play(steps: &[Step]) -> (LiveIndex, Naive) {
    let (index, mut naive) = (LiveIndex::new(TTL, 10_000), Naive::default());
    for step in steps {
        match step {
            Step::Put(n, point, age) => {
                let update = update(*n, *point, NOW - age, 1);
                let outcome = index.apply(Origin::Stored, slice::from_ref(&update), NOW);
                if outcome.fresh == 1 {
                    naive.put(&update);
                }
            }
            Step::Remove(n) => {
                let newest = naive
                    .entities
                    .get(&id(*n))
                    .map_or(NOW - TTL, |known| known.fix.timestamp_ms);
                index.remove(Origin::Stored, &id(*n), removed(newest, 1));
                naive.entities.remove(&id(*n));
            }
            Step::Describe(n, free, capacity) => {
                let profile = profile(if *free { "free" } else { "busy" }, *capacity);
                set_profile(&index, *n, Arc::clone(&profile));
                if let Some(entity) = naive.entities.get_mut(&id(*n)) {
                    entity.profile = Some(profile);
                }
            }
        }
    }
    (index, naive)
}

/// Profiles may outlive removals in the index, which the reference does not model.
fn without_profiles(mut hits: Vec<Hit>) -> Vec<Hit> {
    for hit in &mut hits {
        hit.entity.profile = None;
    }
    hits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn nearby_is_what_a_full_search_finds(
        steps in prop::collection::vec(step(), 1..400),
        queries in prop::collection::vec((place(), radius(), 1..40_usize, filter()), 1..12),
    ) {
        // Removals discard profiles in the reference only, so filters by profile are played without removals.
        let plain: Vec<Step> = steps.iter().filter(|step| !matches!(step, Step::Remove(_))).cloned().collect();
        for (steps, by_profile) in [(&plain, true), (&steps, false)] {
            let (index, naive) = play(steps);
            for (center, radius_m, limit, filter) in &queries {
                let filter = if by_profile { filter.clone() } else { Filter { max_age_ms: filter.max_age_ms, ..Filter::default() } };
                let query = NearbyQuery { center: *center, radius_m: *radius_m, limit: *limit, filter };
                let (ours, expected) = (index.nearby(&query, NOW), naive.nearby(&query, NOW));
                if by_profile {
                    prop_assert_eq!(ours, expected);
                } else {
                    prop_assert_eq!(without_profiles(ours), without_profiles(expected));
                }
            }
        }
    }

    #[test]
    fn an_entity_exactly_at_the_radius_belongs_to_the_answer(center in place(), points in prop::collection::vec(place(), 1..60)) {
        let steps: Vec<Step> = points.iter().zip(0..).map(|(point, n)| Step::Put(n, *point, 0)).collect();
        let (index, naive) = play(&steps);
        for point in points {
            let radius = distance_m(center, point);
            for radius_m in [radius, radius.next_down(), radius.next_up()] {
                let query = nearest(center, radius_m, 1_000);
                prop_assert_eq!(index.nearby(&query, NOW), naive.nearby(&query, NOW));
            }
        }
    }

    #[test]
    fn within_is_what_a_full_search_finds(
        steps in prop::collection::vec(step(), 1..400),
        corners in prop::collection::vec((place(), place()), 1..12),
        filter in filter(),
    ) {
        let steps: Vec<Step> = steps.into_iter().filter(|step| !matches!(step, Step::Remove(_))).collect();
        let (index, naive) = play(&steps);
        for (a, b) in corners {
            let (south, north) = (a.lat().min(b.lat()), a.lat().max(b.lat()));
            // Both ways round the earth: the narrow way and the wide one.
            for (west, east) in [(a.lon(), b.lon()), (b.lon(), a.lon())] {
                let bbox = BoundingBox::new(west, south, east, north).unwrap();
                let expected = naive.within(&bbox, &filter, NOW);
                let mut query = WithinQuery { filter: filter.clone(), ..inside(bbox, 1_000) };
                prop_assert_eq!(index.within(&query, NOW), (expected.clone(), false));
                query.limit = expected.len() / 2;
                let (some, cut) = index.within(&query, NOW);
                prop_assert_eq!((&some[..], cut), (&expected[..query.limit], expected.len() > query.limit));
                query.after = some.last().map(|last| last.id.clone());
                query.limit = 1_000;
                let rest = &expected[if query.after.is_some() { some.len() } else { 0 }..];
                prop_assert_eq!(index.within(&query, NOW), (rest.to_vec(), false));
            }
        }
    }
}

#[test]
fn ten_thousand_at_one_place_are_answered_by_id() {
    let index = LiveIndex::new(TTL, 100_000);
    let depot = at(48.2, 16.37);
    let updates: Vec<Update> = (0..10_000).map(|n| update(n, depot, NOW, 1)).collect();
    assert_eq!(index.apply(Origin::Stored, &updates, NOW).fresh, 10_000);
    let hits = index.nearby(&nearest(depot, 0.0, 3), NOW);
    assert_eq!(ids(&hits), ["d-0", "d-1", "d-10"]);
    for n in 0..10_000 {
        assert!(index.remove(Origin::Stored, &id(n), removed(NOW, 1)));
    }
    assert!(index.is_empty());
}

#[test]
fn a_crowd_on_one_spot_is_answered_exactly_and_by_id() {
    let (index, mut naive) = (LiveIndex::new(TTL, 100_000), Naive::default());
    let depot = at(48.2, 16.37);
    // Some are slightly beside the spot, closer than the grid can resolve.
    let spot = |n: u32| {
        if n.is_multiple_of(97) {
            at(48.2 + 1e-8, 16.37)
        } else {
            depot
        }
    };
    let updates: Vec<Update> = (0..12_000)
        .map(|n| update(n * 7_919 % 12_000, spot(n), NOW, 1))
        .collect();
    index.apply(Origin::Stored, &updates, NOW);
    for update in &updates {
        naive.put(update);
    }
    for n in 0..12_000 {
        let profile = profile(if n % 5 == 0 { "free" } else { "busy" }, n % 7);
        set_profile(&index, n, Arc::clone(&profile));
        naive.entities.get_mut(&id(n)).unwrap().profile = Some(profile);
    }
    for (center, radius_m) in [(depot, 0.0), (depot, 2_000.0), (at(48.201, 16.371), 5_000.0)] {
        for limit in [1, 2, 40, 1_000] {
            for (statuses, min_capacity) in [
                (vec![], None),
                (vec!["free".into()], None),
                (vec!["free".into()], Some(6)),
            ] {
                let filter = Filter {
                    statuses,
                    min_capacity,
                    ..Filter::default()
                };
                let query = NearbyQuery {
                    filter,
                    ..nearest(center, radius_m, limit)
                };
                assert_eq!(index.nearby(&query, NOW), naive.nearby(&query, NOW), "{query:?}");
            }
        }
    }
}

#[test]
fn the_lock_is_held_for_a_bounded_number_of_entries() {
    let index = LiveIndex::new(TTL, 100_000);
    let depot = at(48.2, 16.37);
    let updates: Vec<Update> = (0..30_000).map(|n| update(n, depot, NOW, 1)).collect();
    index.apply(Origin::Stored, &updates, NOW);
    for limit in [1, 10] {
        let most = max_in_one_hold(|| assert_eq!(index.nearby(&nearest(depot, 2_000.0, limit), NOW).len(), limit));
        assert!(most < 5_000, "{most} examined for {limit}");
    }
    let around = BoundingBox::new(16.0, 48.0, 17.0, 49.0).unwrap();
    let most = max_in_one_hold(|| assert!(index.within(&inside(around, 1_000), NOW).1));
    assert!(most < 500, "{most} examined");
}

#[test]
fn a_search_that_hardly_anything_passes_is_still_complete() {
    let index = LiveIndex::new(TTL, 100_000);
    let city = at(52.52, 13.4);
    let updates: Vec<Update> = (0..20_000)
        .map(|n| update(n, destination(city, f64::from(n) * 0.77, f64::from(n) * 0.9), NOW, 1))
        .collect();
    index.apply(Origin::Stored, &updates, NOW);
    for n in [19_990, 15_000, 17_000] {
        set_profile(&index, n, profile("free", 4));
    }
    let mut query = nearest(city, 50_000.0, 2);
    query.filter.statuses.push("free".into());
    assert_eq!(ids(&index.nearby(&query, NOW)), ["d-15000", "d-17000"]);
}

#[test]
fn a_fix_is_in_no_answer_from_its_last_millisecond_on() {
    let index = LiveIndex::new(TTL, 10);
    let here = at(1.0, 2.0);
    index.apply(Origin::Stored, &[update(1, here, NOW, 1)], NOW);
    let everywhere = BoundingBox::new(-180.0, -90.0, 180.0, 90.0).unwrap();
    for (now, seen) in [(NOW - 50_000, true), (NOW + TTL - 1, true), (NOW + TTL, false)] {
        assert_eq!(index.get("d-1", now).is_some(), seen);
        assert_eq!(index.nearby(&nearest(here, 10.0, 5), now).len(), usize::from(seen));
        assert_eq!(index.within(&inside(everywhere, 5), now).0.len(), usize::from(seen));
    }
}
