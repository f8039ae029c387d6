//! Walks that pause while the tree changes under them.

use super::*;
use crate::geo::destination;
use crate::live::pieces::Pieces;
use crate::live::tree::Entry;
use crate::live::visible::Visible;
use crate::live::walk::{Progress, Walk};
use crate::live::within::InBox;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::thread;

/// Entities up to here do not move; the others do.
const STILL: u32 = 300;
const ALL: u32 = 1_200;

#[test]
fn a_walk_in_pieces_visits_all_entities_that_do_not_move() {
    let mut rng = StdRng::seed_from_u64(3);
    let city = at(40.75, -73.98);
    for round in 0..20 {
        let mut spot = |n: u32| {
            // All gather at one corner and scatter, in turn: leaves split and join wherever the walk pauses.
            let spread_m = if n < STILL {
                5_000.0
            } else {
                [10.0, 800.0, 50_000.0][n as usize % 3]
            };
            destination(city, rng.random_range(0.0..360.0), rng.random_range(0.0..spread_m))
        };
        let index = LiveIndex::new(TTL, 10_000);
        let start: Vec<Update> = (0..ALL).map(|n| update(n, spot(n), NOW, 1)).collect();
        index.apply(Origin::Stored, &start, NOW);
        let mut seen = BTreeSet::new();
        let mut walk = Walk::default();
        let mut pieces = 0_u32;
        loop {
            let state = index.state.read();
            let visit = |entries: &[Entry]| {
                seen.extend(entries.iter().map(|entry| state.records[entry.slot].id.clone()));
                ControlFlow::Continue(())
            };
            if walk.advance(&state.tree, 1 + round, |_| true, visit) == Progress::Done {
                break;
            }
            drop(state);
            pieces += 1;
            let moves: Vec<Update> = (0..40)
                .map(|i| STILL + (pieces * 40 + i) % (ALL - STILL))
                .map(|n| update(n, spot(n + pieces), NOW, 1))
                .collect();
            index.apply(Origin::Stored, &moves, NOW);
            if pieces.is_multiple_of(3) {
                index.remove(Origin::Stored, &id(STILL + pieces % (ALL - STILL)), removed(NOW, 1));
            }
        }
        assert!(pieces > 5);
        let missed: Vec<u32> = (0..STILL).filter(|n| !seen.contains(&id(*n))).collect();
        assert!(missed.is_empty(), "{missed:?}");
    }
}

#[test]
fn a_search_in_pieces_answers_each_entity_once_while_all_move() {
    let index = LiveIndex::new(TTL, 100_000);
    let city = at(52.52, 13.4);
    let spot = |n: u32, round: u32| destination(city, f64::from(n) * 0.77 + f64::from(round), f64::from(n) * 0.9);
    let fleet = |round: u32| -> Vec<Update> { (0..20_000).map(|n| update(n, spot(n, round), NOW, 1)).collect() };
    index.apply(Origin::Stored, &fleet(0), NOW);
    let wanted: Vec<u32> = (1..=30).map(|n| n * 600).collect();
    for n in &wanted {
        set_profile(&index, *n, profile("free", 4));
    }
    let mut query = nearest(city, 50_000.0, 10);
    query.filter.statuses.push("free".into());
    thread::scope(|scope| {
        let driving = scope.spawn(|| (1..6).for_each(|round| _ = index.apply(Origin::Stored, &fleet(round), NOW)));
        while !driving.is_finished() {
            let hits = index.nearby(&query, NOW);
            let seen: BTreeSet<&str> = ids(&hits).into_iter().collect();
            assert_eq!(seen.len(), hits.len(), "each once");
            assert!(hits.len() >= 8, "{} of 10", hits.len());
        }
    });
}

/// Lists a box page by page. `drive` moves entities between all pieces of the search.
fn list(index: &LiveIndex, bounds: BoundingBox, mut drive: impl FnMut()) -> Vec<Id> {
    let mut query = inside(bounds, 100);
    let mut listed = Vec::new();
    loop {
        let mut visitor = InBox::new(&query, Visible::new(TTL, &query.filter, NOW).unwrap());
        let mut pieces = Pieces::default();
        while pieces.advance(&index.state.read(), &mut visitor) == Progress::Paused {
            drive();
        }
        let (page, has_more) = visitor.finish();
        listed.extend(page.into_iter().map(|entity| entity.id));
        if !has_more {
            return listed;
        }
        query.after = listed.last().cloned();
        drive();
    }
}

#[test]
fn a_listing_has_each_entity_that_stays_in_the_box_once_however_it_moves() {
    let mut rng = StdRng::seed_from_u64(5);
    let city = at(40.75, -73.98);
    let bounds = BoundingBox::new(-74.2, 40.5, -73.7, 41.0).unwrap();
    let index = LiveIndex::new(TTL, 10_000);
    let mut spot = || destination(city, rng.random_range(0.0..360.0), rng.random_range(0.0..9_000.0));
    let start: Vec<Update> = (0..ALL).map(|n| update(n, spot(), NOW, 1)).collect();
    index.apply(Origin::Stored, &start, NOW);
    let mut all: Vec<Id> = (0..ALL).map(id).collect();
    all.sort();
    // A few at a time, and more than the tree remembers.
    for moved in [50, 6_000] {
        let mut n = 0;
        let drive = || {
            for _ in 0..moved {
                n = (n + 1) % ALL;
                index.apply(Origin::Stored, &[update(n, spot(), NOW, 1)], NOW);
            }
        };
        assert_eq!(list(&index, bounds, drive), all);
    }
}
