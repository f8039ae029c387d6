//! A live index with a city's drivers in it.

use crate::support::{fix, id};
use fleetpulse::geo::{Point, destination};
use fleetpulse::tracking::live::{LiveIndex, Origin, Update};
use rand::RngExt;
use rand::rngs::StdRng;

/// The time of the bench, Unix milliseconds.
pub const NOW: i64 = 1_700_000_000_000;
/// Long enough for nothing to expire.
const TTL: i64 = 300_000;

/// Entity `n`'s fix.
pub fn update(n: usize, point: Point, timestamp_ms: i64) -> Update {
    Update {
        id: id(n),
        fix: fix(point, timestamp_ms),
    }
}

/// An index with an entity at each place.
pub fn index_of(points: &[Point]) -> LiveIndex {
    let index = LiveIndex::new(TTL, usize::MAX);
    let mut batch = Vec::with_capacity(1_000);
    for (piece, points) in points.chunks(1_000).enumerate() {
        batch.clear();
        batch.extend(
            points
                .iter()
                .enumerate()
                .map(|(i, point)| update(piece * 1_000 + i, *point, NOW)),
        );
        index.apply(Origin::Stored, &batch, NOW);
    }
    index
}

/// Moves each place 10 to 30 metres, as between two fixes.
pub fn drive(rng: &mut StdRng, point: Point) -> Point {
    destination(point, rng.random_range(0.0..360.0), rng.random_range(10.0..30.0))
}
