//! The 52-bit geohash that is the score of a Redis GEO index.

use super::{MAX_LATITUDE_DEG, Point};

/// 2²⁶: Redis cuts each coordinate's range in this many steps.
const STEPS: f64 = 67_108_864.0;

/// The score that Redis `GEOADD` gives a place: latitude in the even bits, longitude in the odd ones.
///
/// Exactly at an upper limit (85.05112878° or 180°) the step number is 2²⁶, one bit too many. Redis does not clamp it, so
/// it spills into bits 52 and 53, and a score past 2⁵³ is rounded to the double that a sorted set holds. Both are kept
/// here, so that a score written by us and one written by `GEOADD` are the same.
///
/// Source: `geohashEncode` and `interleave64` in Redis's `geohash.c`, `geoaddCommand` in `geo.c`.
///
/// ```
/// use fleetpulse_index::geo::{Point, geohash52};
/// // GEOADD Sicily 13.361389 38.115556 Palermo; ZSCORE Sicily Palermo
/// assert_eq!(geohash52(Point::new(38.115556, 13.361389)?), 3_479_099_956_230_698);
/// # Ok::<(), fleetpulse_index::geo::PointError>(())
/// ```
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a valid point gives offsets of 0 to 1, so steps of 0 to 2^26; the loss above 2^53 is Redis's own"
)]
#[inline]
pub fn geohash52(point: Point) -> u64 {
    let lat_offset = (point.lat() + MAX_LATITUDE_DEG) / (MAX_LATITUDE_DEG + MAX_LATITUDE_DEG);
    let lon_offset = (point.lon() + 180.0) / 360.0;
    let bits = spread((lat_offset * STEPS) as u32) | (spread((lon_offset * STEPS) as u32) << 1);
    bits as f64 as u64
}

/// Returns the same place in a form that a search of a Redis GEO index finds.
///
/// A place on an upper limit has a score beyond all cells that a search examines (see [`geohash52`]), and a search that
/// starts there examines only empty cells. So 180° is written as −180°, the same meridian, and a place on the northern
/// limit is moved south by a tenth of a millimetre.
#[must_use]
#[inline]
pub fn searchable(point: Point) -> Point {
    /// Far less than a cell of the index and far more than the rounding of a double.
    const HAIR_DEG: f64 = 1e-9;
    let lon = if point.lon() > 180.0 - HAIR_DEG {
        -180.0
    } else {
        point.lon()
    };
    Point::new(point.lat().min(MAX_LATITUDE_DEG - HAIR_DEG), lon).unwrap_or(point)
}

/// Moves bit `i` to bit `2i` (Sean Eron Anderson's "Interleave bits by Binary Magic Numbers", widened to 64 bits).
const fn spread(bits: u32) -> u64 {
    let mut x = bits as u64;
    x = (x | (x << 16)) & 0x0000_FFFF_0000_FFFF;
    x = (x | (x << 8)) & 0x00FF_00FF_00FF_00FF;
    x = (x | (x << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    x = (x | (x << 2)) & 0x3333_3333_3333_3333;
    (x | (x << 1)) & 0x5555_5555_5555_5555
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_redis_7() {
        // (lon, lat, score) as answered by ZSCORE after GEOADD on Redis 7.0.15.
        for (lon, lat, score) in [
            (13.361_389, 38.115_556, 3_479_099_956_230_698),
            (15.087_269, 37.502_669, 3_479_447_370_796_909),
            (0.0, 0.0, 3_377_699_720_527_872),
            (-0.000_000_1, -0.000_000_1, 1_125_899_906_842_623),
            (-73.9857, 40.7484, 1_791_875_672_646_935),
            (-180.0, -85.051_128_78, 0),
        ] {
            assert_eq!(geohash52(Point::new(lat, lon).unwrap()), score, "{lon} {lat}");
        }
    }

    #[test]
    fn the_upper_limits_overflow_as_in_redis() {
        for (lon, lat, score) in [
            (180.0, 85.051_128_78, 13_510_798_882_111_488),
            (180.0, 0.0, 10_133_099_161_583_616),
            (180.0, 40.7127, 10_226_630_682_477_828),
            (180.0, 12.345_678, 10_150_983_690_703_872),
            (180.0, -85.051_128_78, 9_007_199_254_740_992),
            (-73.9857, 85.051_128_78, 5_076_043_616_624_642),
        ] {
            assert_eq!(geohash52(Point::new(lat, lon).unwrap()), score, "{lon} {lat}");
        }
    }

    #[test]
    fn a_searchable_place_has_a_score_of_52_bits() {
        let hair_below_180 = 180.0_f64.next_down();
        for (lat, lon) in [
            (MAX_LATITUDE_DEG, 180.0),
            (MAX_LATITUDE_DEG.next_down(), hair_below_180),
            (0.0, 180.0),
        ] {
            let there = searchable(Point::new(lat, lon).unwrap());
            assert!(geohash52(there) < 1 << 52, "{lat} {lon}");
        }
        let ordinary = Point::new(40.7484, -73.9857).unwrap();
        assert_eq!(searchable(ordinary), ordinary);
    }

    #[test]
    fn spread_agrees_with_moving_bit_by_bit() {
        for bits in [0, 1, 0x0400_0000, 0x1234_5678, u32::MAX] {
            let slow = (0..32).fold(0_u64, |out, i| out | (u64::from(bits >> i & 1) << (2 * i)));
            assert_eq!(spread(bits), slow, "{bits:#x}");
        }
    }
}
