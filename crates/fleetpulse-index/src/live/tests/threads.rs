//! Concurrent readers and writers: every answer is well-formed while entities move.

use super::*;
use crate::geo::destination;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn readers_and_writers_share_the_index() {
    let index = LiveIndex::new(TTL, 10_000);
    let city = at(48.85, 2.35);
    let spot = |n: u32, round: u32| {
        destination(
            city,
            f64::from(n * 37 + round * 11),
            f64::from((n * 13 + round * 7) % 900),
        )
    };
    let batch = |round: u32| -> Vec<Update> {
        let timestamp_ms = NOW + i64::from(round);
        (0..1_000).map(|n| update(n, spot(n, round), timestamp_ms, 1)).collect()
    };
    index.apply(Origin::Stored, &batch(0), NOW);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let hits = index.nearby(&nearest(city, 900.0, 20), NOW);
                    assert_eq!(hits.len(), 20, "all stay within 900 m");
                    assert!(hits.is_sorted_by(|a, b| a.distance_m <= b.distance_m));
                    let box_of_city = BoundingBox::new(2.3, 48.8, 2.4, 48.9).unwrap();
                    let (entities, _) = index.within(&inside(box_of_city, 5_000), NOW);
                    assert!(entities.is_sorted_by(|a, b| a.id < b.id), "each once");
                }
            });
        }
        for round in 1..100 {
            index.apply(Origin::Stored, &batch(round), NOW);
            index.remove(Origin::Stored, &id(5_000 + round), removed(NOW, 1));
            index.sweep(NOW, 500);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!((index.len(), index.tombstones()), (1_000, 99));
}
