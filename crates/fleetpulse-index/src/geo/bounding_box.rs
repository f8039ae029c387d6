use super::{Point, wrap_longitude};

/// An area between two parallels and two meridians, its borders included.
///
/// `west > east` means that the box crosses the antimeridian. Since +180° and −180° are one meridian, a box that touches it contains the
/// points with either value. Both are kept within ±180°.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// Why four numbers are not a [`BoundingBox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundingBoxError {
    /// South or north is not finite, or beyond ±90°.
    #[error("south and north must be between -90 and 90 degrees")]
    Latitude,
    /// West or east is not finite, or is beyond ±540°.
    #[error("west and east must be between -540 and 540 degrees")]
    Longitude,
    /// South is greater than north.
    #[error("south must not be greater than north")]
    UpsideDown,
}

impl BoundingBox {
    /// Creates a box from degrees, in the order of RFC 7946. Longitudes beyond ±180° are wrapped: from 170 to 190 is from 170 to −170.
    /// An extent of 360° or more from west eastwards to east is the whole circle.
    ///
    /// # Errors
    /// [`BoundingBoxError`] names the first rule that the numbers break.
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Result<Self, BoundingBoxError> {
        // A NaN is in no range.
        if ![south, north].iter().all(|lat| (-90.0..=90.0).contains(lat)) {
            return Err(BoundingBoxError::Latitude);
        }
        let (Some(wrapped_west), Some(wrapped_east)) = (wrap_longitude(west), wrap_longitude(east)) else {
            return Err(BoundingBoxError::Longitude);
        };
        if south > north {
            return Err(BoundingBoxError::UpsideDown);
        }
        let (west, east) = if east - west >= 360.0 {
            (-180.0, 180.0)
        } else {
            (wrapped_west, wrapped_east)
        };
        Ok(Self {
            west,
            south,
            east,
            north,
        })
    }

    /// Returns whether a place is in the box or on its border.
    #[must_use]
    #[inline]
    pub fn contains(&self, point: Point) -> bool {
        if point.lat() < self.south || point.lat() > self.north {
            return false;
        }
        let between = |lon: f64| {
            if self.west <= self.east {
                (self.west..=self.east).contains(&lon)
            } else {
                lon >= self.west || lon <= self.east
            }
        };
        between(point.lon()) || (point.lon().abs() >= 180.0 && between(-point.lon()))
    }

    /// Western border, degrees east.
    #[must_use]
    #[inline]
    pub const fn west(&self) -> f64 {
        self.west
    }

    /// Southern border, degrees north.
    #[must_use]
    #[inline]
    pub const fn south(&self) -> f64 {
        self.south
    }

    /// Eastern border, degrees east.
    #[must_use]
    #[inline]
    pub const fn east(&self) -> f64 {
        self.east
    }

    /// Northern border, degrees north.
    #[must_use]
    #[inline]
    pub const fn north(&self) -> f64 {
        self.north
    }

    /// Returns the width from the western border eastwards to the eastern one, 0° to 360°.
    #[must_use]
    #[inline]
    pub fn width_deg(&self) -> f64 {
        if self.west <= self.east {
            self.east - self.west
        } else {
            self.east - self.west + 360.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Point {
        Point::new(lat, lon).unwrap()
    }

    #[test]
    fn what_is_no_box_is_refused() {
        assert_eq!(BoundingBox::new(0.0, 2.0, 1.0, 1.0), Err(BoundingBoxError::UpsideDown));
        assert_eq!(
            BoundingBox::new(0.0, f64::NAN, 1.0, 1.0),
            Err(BoundingBoxError::Latitude)
        );
        assert_eq!(BoundingBox::new(0.0, 0.0, 540.1, 1.0), Err(BoundingBoxError::Longitude));
        assert_eq!(
            BoundingBox::new(-540.1, 0.0, 0.0, 1.0),
            Err(BoundingBoxError::Longitude)
        );
        assert_eq!(
            BoundingBox::new(0.0, 0.0, f64::NAN, 1.0),
            Err(BoundingBoxError::Longitude)
        );
        assert_eq!(
            BoundingBox::new(f64::INFINITY, 0.0, 1.0, 1.0),
            Err(BoundingBoxError::Longitude)
        );
    }

    #[test]
    fn borders_belong_to_the_box() {
        let bbox = BoundingBox::new(-10.0, -5.0, 10.0, 5.0).unwrap();
        assert!(bbox.contains(at(5.0, 10.0)) && bbox.contains(at(-5.0, -10.0)));
        assert!(!bbox.contains(at(5.1, 0.0)) && !bbox.contains(at(0.0, 10.1)));
    }

    #[test]
    fn west_greater_than_east_crosses_the_antimeridian() {
        let bbox = BoundingBox::new(170.0, -5.0, -170.0, 5.0).unwrap();
        assert!((bbox.width_deg() - 20.0).abs() < 1e-12);
        for lon in [170.0, 180.0, -180.0, -170.0] {
            assert!(bbox.contains(at(0.0, lon)), "{lon}");
        }
        assert!(!bbox.contains(at(0.0, 0.0)));
    }

    #[test]
    fn longitudes_beyond_the_antimeridian_are_wrapped() {
        for (given, kept) in [
            ((170.0, 190.0), (170.0, -170.0)),
            ((-190.0, -170.0), (170.0, -170.0)),
            ((185.0, 190.0), (-175.0, -170.0)),
            ((-365.0, -355.0), (-5.0, 5.0)),
            ((180.0, 200.0), (180.0, -160.0)),
            // The width stays the same.
            ((-10.0, 349.5), (-10.0, -10.5)),
            // East is less than west: the box extends to the next meridian of that longitude.
            ((370.0, 20.0), (10.0, 20.0)),
            // 360° or more is the whole circle.
            ((-10.0, 350.0), (-180.0, 180.0)),
            ((-180.0, 180.0), (-180.0, 180.0)),
            ((-540.0, 540.0), (-180.0, 180.0)),
            ((10.0, 370.0), (-180.0, 180.0)),
        ] {
            let bbox = BoundingBox::new(given.0, -1.0, given.1, 1.0).unwrap();
            let wanted = BoundingBox::new(kept.0, -1.0, kept.1, 1.0).unwrap();
            assert_eq!(bbox, wanted, "{given:?}");
            if given.0 <= given.1 {
                assert!(
                    (bbox.width_deg() - (given.1 - given.0).min(360.0)).abs() < 1e-12,
                    "{given:?}"
                );
            }
        }
    }

    #[test]
    fn a_box_that_touches_the_antimeridian_holds_both_its_names() {
        let bbox = BoundingBox::new(170.0, -5.0, 180.0, 5.0).unwrap();
        assert!(bbox.contains(at(0.0, -180.0)));
    }
}
