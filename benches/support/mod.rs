//! Input of a real city (`fixtures/nyc_hotspots.csv`), the same at every run, under the allocator that the service has.

use fleetpulse::cli::hotspots::HotSpots;
use fleetpulse::geo::Point;
use fleetpulse::ids::Id;
use fleetpulse::tracking::model::Fix;
use rand::SeedableRng;
use rand::rngs::StdRng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A seeded source of the bench's randomness.
pub fn seeded() -> StdRng {
    StdRng::seed_from_u64(20_141_001)
}

/// `count` places in New York, where its people are.
pub fn city(rng: &mut StdRng, count: usize) -> Vec<Point> {
    let city = HotSpots::new_york();
    (0..count)
        .map(|_| {
            let (lat, lon) = city.draw(rng);
            let Ok(point) = Point::new(lat, lon) else {
                unreachable!("New York is a valid place")
            };
            point
        })
        .collect()
}

/// Entity `n`'s id, 12 characters long.
pub fn id(n: usize) -> Id {
    let Ok(id) = Id::parse(&format!("drv-{n:08}")) else {
        unreachable!("letters, digits and a hyphen are valid")
    };
    id
}

/// A fix as a driver's phone sends it.
pub fn fix(point: Point, timestamp_ms: i64) -> Fix {
    Fix {
        point,
        timestamp_ms,
        received_us: timestamp_ms * 1_000,
        accuracy_m: Some(5.0),
        altitude_m: None,
        speed_mps: Some(8.0),
        heading_deg: Some(90.0),
    }
}
