//! Walks that pause while the tree changes under them.

use super::*;
use crate::geo::destination;
use crate::tracking::live::tree::Entry;
use crate::tracking::live::walk::{Pace, Walk};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::thread;

/// Entities up to here stand still, the others roam.
const STILL: u32 = 300;
const ALL: u32 = 1_200;

#[test]
fn a_walk_in_pieces_visits_all_that_stands_still() {
    let mut rng = StdRng::seed_from_u64(3);
    let city = at(40.75, -73.98);
    for round in 0..20 {
        let mut spot = |n: u32| {
            // Everybody at one corner by turns: splits and joins wherever the walk pauses.
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
            if walk.go_on(&state.tree, 1 + round, |_| true, visit) == Pace::Done {
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
                index.remove(Origin::Stored, &id(STILL + pieces % (ALL - STILL)), NOW, 1);
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
