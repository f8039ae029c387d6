//! Hot spots of a real city: places of New York, weighted by the number of pick-ups there
//! (`fixtures/nyc_hotspots.csv`; `fixtures/README.md` describes its source).

use rand::{Rng, RngExt};

const CSV: &str = include_str!("../../fixtures/nyc_hotspots.csv");

/// A place represents a cell of this many degrees.
const CELL_DEG: f64 = 0.005;

/// Weighted places to draw from.
#[derive(Debug, Clone)]
pub struct HotSpots {
    /// Latitude and longitude, degrees.
    places: Vec<(f64, f64)>,
    /// The sum of the weights up to and including each place.
    sums: Vec<u64>,
}

impl HotSpots {
    /// Returns the hot spots of New York.
    #[must_use]
    pub fn new_york() -> Self {
        let (mut places, mut sums, mut sum) = (Vec::new(), Vec::new(), 0);
        for line in CSV.lines().skip(1) {
            // The file is compiled in and a test reads every line of it, so nothing is left out here.
            if let Some((lat, lon, weight)) = parse_line(line) {
                sum += weight;
                places.push((lat, lon));
                sums.push(sum);
            }
        }
        Self { places, sums }
    }

    /// Draws a place by weight, and a point near it: latitude and longitude, degrees.
    pub fn draw(&self, rng: &mut impl Rng) -> (f64, f64) {
        let ticket = rng.random_range(0..self.sums.last().copied().unwrap_or(1));
        let (lat, lon) = self.places[self.sums.partition_point(|sum| *sum <= ticket)];
        let mut scatter = || (rng.random::<f64>() - 0.5) * CELL_DEG;
        (lat + scatter(), lon + scatter())
    }
}

fn parse_line(line: &str) -> Option<(f64, f64, u64)> {
    let mut fields = line.split(',');
    Some((
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn every_line_of_the_fixture_is_read() {
        let city = HotSpots::new_york();
        assert_eq!(city.places.len(), CSV.lines().count() - 1);
        assert!(city.places.len() >= 300);
    }

    #[test]
    fn draws_are_in_the_city_and_mostly_where_it_is_busy() {
        let (city, mut rng) = (HotSpots::new_york(), SmallRng::seed_from_u64(1));
        let draws: Vec<_> = (0..10_000).map(|_| city.draw(&mut rng)).collect();
        assert!(
            draws
                .iter()
                .all(|(lat, lon)| (40.4..41.1).contains(lat) && (-74.4..-73.4).contains(lon))
        );
        let manhattan = draws
            .iter()
            .filter(|(lat, lon)| (40.70..40.80).contains(lat) && (-74.02..-73.95).contains(lon));
        assert!(manhattan.count() > 5_000);
    }
}
