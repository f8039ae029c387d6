use super::Point;

/// A place as a vector of length 1 from the earth's centre.
///
/// Distances between such vectors need no special case at the antimeridian or the poles, and the chord between two of them
/// increases with the great-circle distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UnitVec {
    /// Towards latitude 0, longitude 0.
    pub(crate) x: f64,
    /// Towards latitude 0, longitude 90° east.
    pub(crate) y: f64,
    /// Towards the north pole.
    pub(crate) z: f64,
}

impl From<Point> for UnitVec {
    fn from(point: Point) -> Self {
        let (sin_lat, cos_lat) = point.lat().to_radians().sin_cos();
        let (sin_lon, cos_lon) = point.lon().to_radians().sin_cos();
        Self {
            x: cos_lat * cos_lon,
            y: cos_lat * sin_lon,
            z: sin_lat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{EARTH_RADIUS_M, distance_m};

    #[test]
    fn the_chord_agrees_with_the_great_circle() {
        let a = Point::new(48.2, 16.37).unwrap();
        let b = Point::new(-33.9, -179.0).unwrap();
        let (from, to) = (UnitVec::from(a), UnitVec::from(b));
        let chord = ((from.x - to.x).powi(2) + (from.y - to.y).powi(2) + (from.z - to.z).powi(2)).sqrt();
        let arc_m = 2.0 * (chord / 2.0).asin() * EARTH_RADIUS_M;
        assert!((arc_m - distance_m(a, b)).abs() < 1e-3);
    }
}
