//! Movement, removal and memory: the size of the tree depends on its entries only.

use super::*;
use crate::geo::destination;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Nodes and leaves in use.
fn branches(index: &LiveIndex) -> (usize, usize) {
    let state = index.state.read();
    (state.tree.nodes.len(), state.tree.leaves.len())
}

#[test]
fn moving_over_the_whole_earth_leaks_no_memory() {
    let mut rng = StdRng::seed_from_u64(7);
    let index = LiveIndex::new(i64::MAX, 10_000);
    let entities = 2_000_u32;
    let mut most = (0, 0);
    for (round, now) in (NOW..NOW + 30).enumerate() {
        // Gathers and scatters in turn, so that leaves split and join at every depth.
        let center = at(rng.random_range(-80.0..80.0), rng.random_range(-180.0..180.0));
        let spread_m = [20.0, 2_000.0, 5_000_000.0][round % 3];
        let updates: Vec<Update> = (0..entities)
            .map(|n| {
                let point = destination(center, rng.random_range(0.0..360.0), rng.random_range(0.0..spread_m));
                update(n, point, now, 1)
            })
            .collect();
        assert_eq!(index.apply(Origin::Stored, &updates, NOW).fresh, updates.len());
        let (nodes, leaves) = branches(&index);
        most = (most.0.max(nodes), most.1.max(leaves));
    }
    assert!(most.0 < 1_000 && most.1 < 1_000, "{most:?} for {entities} entities");
    for n in 0..entities {
        index.remove(Origin::Stored, &id(n), removed(NOW + 1_000, 1));
    }
    assert_eq!(branches(&index), (0, 0));
    let tree = &index.state.read().tree;
    assert_eq!(tree.len(), 0);
}

#[test]
fn taking_and_forgetting_does_not_grow_memory() {
    let index = LiveIndex::new(TTL, 10_000);
    let fill = |round: u32| {
        let now = NOW + i64::from(round) * TTL;
        let updates: Vec<Update> = (0..5_000)
            .map(|n| update(n + round * 5_000, at(f64::from(n) * 0.001, 0.0), now, 1))
            .collect();
        index.apply(Origin::Local, &updates, now);
        let full = index.memory_bytes();
        assert_eq!(index.sweep(now + TTL, usize::MAX).len(), 5_000);
        full
    };
    let first = fill(0);
    let last = (1..10).map(fill).max().unwrap();
    assert!(last < first + first / 4, "{first} grew to {last}");
}

#[test]
fn moving_step_by_step_keeps_neighbours_findable() {
    let mut rng = StdRng::seed_from_u64(11);
    let (index, mut naive) = (LiveIndex::new(TTL, 10_000), Naive::default());
    let city = at(0.0005, 179.9995);
    let mut points = vec![city; 500];
    for (round, now) in (NOW..NOW + 40).enumerate() {
        let mut updates = Vec::new();
        for (point, n) in points.iter_mut().zip(0..) {
            *point = destination(*point, rng.random_range(0.0..360.0), rng.random_range(0.0..60.0));
            updates.push(update(n, *point, now, 1));
        }
        index.apply(Origin::Stored, &updates, NOW);
        for update in &updates {
            naive.put(update);
        }
        let query = nearest(points[round], 400.0, 25);
        assert_eq!(index.nearby(&query, NOW), naive.nearby(&query, NOW));
    }
}
