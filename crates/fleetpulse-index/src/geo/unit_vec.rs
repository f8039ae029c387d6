use super::Point;

/// A place as a vector from the earth's centre, its length 1.
///
/// Distances between such vectors need no care at the antimeridian or the poles, and the chord between two of them grows
/// with the great-circle distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitVec {
    /// Towards latitude 0, longitude 0.
    pub x: f64,
    /// Towards latitude 0, longitude 90° east.
    pub y: f64,
    /// Towards the north pole.
    pub z: f64,
}

impl UnitVec {
    /// The squared length of the chord to `other`, 0 to 4.
    #[must_use]
    pub fn chord_squared(self, other: Self) -> f64 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2) + (self.z - other.z).powi(2)
    }
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
        let chord = UnitVec::from(a).chord_squared(UnitVec::from(b)).sqrt();
        let arc_m = 2.0 * (chord / 2.0).asin() * EARTH_RADIUS_M;
        assert!((arc_m - distance_m(a, b)).abs() < 1e-3);
    }
}
