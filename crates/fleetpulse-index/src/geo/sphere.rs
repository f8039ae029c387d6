//! Distance, bearing and destination on the sphere of mean earth radius, by the `geo` crate's haversine.

use super::{MAX_LATITUDE_DEG, Point};
use geo::{Bearing, Destination, Distance, Haversine};
use std::f64::consts::PI;

/// The mean earth radius, metres (GRS 80), as the `geo` crate's `Haversine` uses it.
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Returns the great-circle distance, metres; symmetric, and exactly 0 between equal places.
///
/// ```
/// use fleetpulse_index::geo::{Point, distance_m};
/// let east = Point::new(10.0, 180.0)?;
/// let west = Point::new(10.0, -180.0)?;
/// assert!(distance_m(east, west).total_cmp(&0.0).is_eq(), "±180° are one meridian");
/// # Ok::<(), fleetpulse_index::geo::PointError>(())
/// ```
#[must_use]
#[inline]
pub fn distance_m(a: Point, b: Point) -> f64 {
    let (a, b) = side_by_side(a, b);
    let metres: f64 = Haversine.distance(a, b);
    // Rounding may carry the sine of a near-antipodal pair past 1, whose arcsine is NaN.
    if metres.is_nan() { EARTH_RADIUS_M * PI } else { metres }
}

/// Returns the initial course from `from` to `to`, degrees clockwise from north, `0 ≤ b < 360`; 0 between equal places.
#[must_use]
pub fn bearing_deg(from: Point, to: Point) -> f64 {
    let (from, to) = side_by_side(from, to);
    let degrees: f64 = Haversine.bearing(from, to);
    // A course slightly west of north rounds up to 360.
    if degrees >= 360.0 { 0.0 } else { degrees }
}

/// Returns the destination `distance_m` metres from `from` on the initial course `bearing_deg`.
///
/// Clamped to the places a [`Point`] can hold, so a simulated vehicle that reaches the polar cap stays at its edge;
/// a course or distance that is not finite stays at `from`.
#[must_use]
pub fn destination(from: Point, bearing_deg: f64, distance_m: f64) -> Point {
    let there: geo::Point<f64> = Haversine.destination(as_geo(from), bearing_deg, distance_m);
    let lat = there.y().clamp(-MAX_LATITUDE_DEG, MAX_LATITUDE_DEG);
    let lon = there.x().clamp(-180.0, 180.0);
    Point::new(lat, lon).unwrap_or(from)
}

fn as_geo(point: Point) -> geo::Point<f64> {
    geo::Point::new(point.lon(), point.lat())
}

/// Both points with longitudes at most 180° apart. The western one is shifted, whichever argument it is, so that the
/// distance is the same in both directions to the last bit.
#[inline]
fn side_by_side(a: Point, b: Point) -> (geo::Point<f64>, geo::Point<f64>) {
    let (mut a, mut b) = (as_geo(a), as_geo(b));
    let apart = a.x() - b.x();
    if apart > 180.0 {
        b.set_x(b.x() + 360.0);
    } else if apart < -180.0 {
        a.set_x(a.x() + 360.0);
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Point {
        Point::new(lat, lon).unwrap()
    }

    #[test]
    fn a_degree_along_the_equator_is_111_195_metres() {
        assert!((distance_m(at(0.0, 0.0), at(0.0, 1.0)) - 111_195.08).abs() < 0.01);
    }

    #[test]
    fn the_antimeridian_is_no_border() {
        assert_eq!(distance_m(at(5.0, 180.0), at(5.0, -180.0)).to_bits(), 0.0_f64.to_bits());
        let across = distance_m(at(0.0, 179.5), at(0.0, -179.5));
        assert!((across - distance_m(at(0.0, 0.0), at(0.0, 1.0))).abs() < 1e-6);
        assert!((bearing_deg(at(0.0, 179.5), at(0.0, -179.5)) - 90.0).abs() < 1e-9);
    }

    #[test]
    fn distance_is_symmetric_and_finite_for_antipodes() {
        for (a, b) in [
            (at(40.7, -74.0), at(-33.9, 151.2)),
            (at(0.0, -180.0), at(0.0, 0.0)),
            (at(MAX_LATITUDE_DEG, -170.0), at(-MAX_LATITUDE_DEG, 10.0)),
        ] {
            let there = distance_m(a, b);
            assert!(there.is_finite());
            assert_eq!(there.to_bits(), distance_m(b, a).to_bits());
        }
    }

    #[test]
    fn a_destination_is_at_its_distance_and_bearing() {
        let from = at(52.5, 179.99);
        let there = destination(from, 75.0, 5_000.0);
        assert!((distance_m(from, there) - 5_000.0).abs() < 1e-6);
        assert!((bearing_deg(from, there) - 75.0).abs() < 1e-6);
        assert!(there.lon() < 0.0, "crossed the antimeridian");
    }

    #[test]
    fn a_destination_never_leaves_the_valid_range() {
        let edge = at(MAX_LATITUDE_DEG, 20.0);
        assert_eq!(
            destination(edge, 0.0, 50_000.0).lat().to_bits(),
            MAX_LATITUDE_DEG.to_bits()
        );
        assert_eq!(destination(edge, f64::NAN, 10.0), edge);
    }
}
