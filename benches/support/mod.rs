//! Input that looks like a city, the same at every run.

use fleetpulse::geo::{Point, destination};
use fleetpulse::ids::Id;
use fleetpulse::tracking::live::{LiveIndex, Origin, Update};
use fleetpulse::tracking::model::Fix;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The time of every bench, Unix milliseconds.
pub const NOW: i64 = 1_700_000_000_000;
/// Long enough for nothing to expire.
pub const TTL: i64 = 300_000;

/// A seeded source of the bench's randomness.
pub fn seeded() -> StdRng {
    StdRng::seed_from_u64(20_141_001)
}

/// `count` places in a city of 40 km with 30 hot spots: two thirds within a kilometre or so of one, the rest anywhere.
pub fn city(rng: &mut StdRng, count: usize) -> Vec<Point> {
    let Ok(center) = Point::new(40.73, -73.95) else {
        unreachable!("New York is a valid place")
    };
    let around = |rng: &mut StdRng, center: Point, radius_m: f64| {
        // Thins out with distance, as cities do.
        let distance_m = radius_m * rng.random_range(0.0_f64..1.0).powi(2);
        destination(center, rng.random_range(0.0..360.0), distance_m)
    };
    let hot_spots: Vec<Point> = (0..30).map(|_| around(rng, center, 15_000.0)).collect();
    (0..count)
        .map(|_| {
            if rng.random_bool(2.0 / 3.0) {
                let spot = hot_spots[rng.random_range(0..hot_spots.len())];
                around(rng, spot, 2_000.0)
            } else {
                around(rng, center, 20_000.0)
            }
        })
        .collect()
}

/// Entity `n`'s fix; ids are 12 characters long.
pub fn update(n: usize, point: Point, timestamp_ms: i64) -> Update {
    let Ok(id) = Id::parse(&format!("drv-{n:08}")) else {
        unreachable!("letters, digits and a hyphen are valid")
    };
    Update {
        id,
        fix: Fix {
            point,
            timestamp_ms,
            accuracy_m: Some(5.0),
            altitude_m: None,
            speed_mps: Some(8.0),
            heading_deg: Some(90.0),
        },
        seq: 1,
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
