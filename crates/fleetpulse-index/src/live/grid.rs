//! The integer grid of the tree: places in 31 bits an axis, cells of the octree, distances between them.
//!
//! A step is 2⁻³⁰ of the earth's radius, 5.9 mm. Integer distances are exact for the grid's points, and a grid point is
//! within [`SLACK`] of its place. Pruning adds that slack, and distances in answers are measured between the places.

use crate::geo::{EARTH_RADIUS_M, Point, UnitVec};
use std::f64::consts::FRAC_PI_2;

/// A grid point: the unit vector, shifted to 0..2 and cut into 2³¹ steps an axis.
pub(super) type GridPoint = [u32; 3];

/// Bits of a coordinate.
const BITS: u32 = 31;

/// Steps to the unit of a vector.
pub(super) const STEPS: f64 = (1_u32 << (BITS - 1)) as f64;

/// By how many steps the grid's chord between two places may differ from another such chord of the same true length.
/// Cutting loses less than a step an axis at each end (√3 together), once for either chord; the rest is reserve for the
/// clamped last step and for the rounding of sines.
pub(super) const SLACK: f64 = 6.0;

/// Cells are cut by place down to this depth (19 cm), and below it by slot number, so that any number of entities at one
/// place are still in small leaves.
pub(super) const PLACE_DEPTH: u8 = 26;

/// The grid point of a place.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what a rounding beyond ±1 needs"
)]
pub(super) fn grid_point(place: Point) -> GridPoint {
    let UnitVec { x, y, z } = place.into();
    [x, y, z].map(|v| (((v + 1.0) * STEPS) as u32).min((1 << BITS) - 1))
}

/// The squared chord between two grid points, steps².
pub(super) fn chord_squared(a: GridPoint, b: GridPoint) -> u64 {
    // Coordinates have 31 bits, so a difference fits in an i32; this is quicker than abs_diff.
    let square = |axis: usize| {
        let d = i64::from(a[axis].wrapping_sub(b[axis]).cast_signed());
        (d * d).cast_unsigned()
    };
    square(0) + square(1) + square(2)
}

/// The squared grid chord that contains everything up to `radius_m` metres away.
pub(super) fn max_chord_squared(radius_m: f64) -> u64 {
    let half_angle = (radius_m.max(0.0) / (2.0 * EARTH_RADIUS_M)).min(FRAC_PI_2);
    widen(2.0 * half_angle.sin() * STEPS)
}

/// The squared grid chord that contains everything that is truly as near as `chord_squared`.
pub(super) fn with_slack(chord_squared: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "2^-53 of the chord is far below the slack")]
    widen((chord_squared as f64).sqrt())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a chord is at most 2^31 steps, its square 2^62"
)]
fn widen(chord: f64) -> u64 {
    let chord = chord + SLACK;
    // Up to the next whole step; `ceil` is a call on processors that need not have it.
    (chord * chord) as u64 + 1
}

const fn square(d: u32) -> u64 {
    d as u64 * d as u64
}

/// Returns which child of a cell at `depth` holds an entry.
pub(super) const fn child_of(at: GridPoint, slot: u32, depth: u8) -> usize {
    if depth < PLACE_DEPTH {
        let shift = BITS - 1 - depth as u32;
        let (x, y, z) = (at[0] >> shift & 1, at[1] >> shift & 1, at[2] >> shift & 1);
        (x | y << 1 | z << 2) as usize
    } else {
        (slot >> (3 * (depth - PLACE_DEPTH) as u32) & 7) as usize
    }
}

/// The depth of the smallest cell that holds both grid points; at least [`PLACE_DEPTH`] if the place cannot separate them.
#[expect(clippy::cast_possible_truncation, reason = "at most 31")]
pub(super) const fn shared_depth(a: GridPoint, b: GridPoint) -> u8 {
    let differ = (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]);
    (differ.leading_zeros() - (u32::BITS - BITS)) as u8
}

/// A cell of the octree: a cube of grid points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Its lowest corner.
    pub(super) low: GridPoint,
    pub(super) depth: u8,
}

impl Cell {
    pub(super) const ROOT: Self = Self { low: [0; 3], depth: 0 };

    /// Child `index` (bit 0 is the upper half of x, bit 1 of y, bit 2 of z); below [`PLACE_DEPTH`] the same cube.
    #[expect(clippy::cast_possible_truncation, reason = "a child's number is below 8")]
    pub(super) const fn child(self, index: usize) -> Self {
        let depth = self.depth + 1;
        if self.depth >= PLACE_DEPTH {
            return Self { low: self.low, depth };
        }
        let half = 1 << (BITS - depth as u32);
        let index = index as u32;
        let low = [
            self.low[0] + half * (index & 1),
            self.low[1] + half * (index >> 1 & 1),
            self.low[2] + half * (index >> 2 & 1),
        ];
        Self { low, depth }
    }

    /// Edge length, steps.
    pub(super) const fn edge(self) -> u32 {
        let depth = if self.depth < PLACE_DEPTH {
            self.depth
        } else {
            PLACE_DEPTH
        };
        1 << (BITS - depth as u32)
    }

    /// The squared distance from `from` to the cell.
    pub(super) fn near(self, from: GridPoint) -> u64 {
        let edge = self.edge();
        (0..3).map(|axis| square(gap(from[axis], self.low[axis], edge))).sum()
    }

    /// For each axis, the squared distance from `from` to the lower and to the upper half.
    pub(super) fn halves(self, from: GridPoint) -> [[u64; 2]; 3] {
        if self.depth >= PLACE_DEPTH {
            let edge = self.edge();
            return [0, 1, 2].map(|axis| [square(gap(from[axis], self.low[axis], edge)); 2]);
        }
        let half = self.edge() / 2;
        [0, 1, 2].map(|axis| {
            let low = self.low[axis];
            [
                square(gap(from[axis], low, half)),
                square(gap(from[axis], low + half, half)),
            ]
        })
    }
}

/// From `v` to the nearest of the `len` steps that begin at `low`.
fn gap(v: u32, low: u32, len: u32) -> u32 {
    // One of the two is 0. Both are computed, because a branch would often be mispredicted.
    low.saturating_sub(v).max(v.saturating_sub(low + (len - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::distance_m;

    fn at(lat: f64, lon: f64) -> GridPoint {
        grid_point(Point::new(lat, lon).unwrap())
    }

    #[test]
    fn the_grid_keeps_distances_to_the_slack() {
        let (a, b) = (at(40.7, -74.0), at(40.701, -74.001));
        let chord_m = f64::from(u32::try_from(chord_squared(a, b).isqrt()).unwrap()) / STEPS * EARTH_RADIUS_M;
        let true_m = distance_m(Point::new(40.7, -74.0).unwrap(), Point::new(40.701, -74.001).unwrap());
        assert!((chord_m - true_m).abs() < SLACK / STEPS * EARTH_RADIUS_M);
    }

    #[test]
    fn the_extremes_fit_the_grid() {
        for (lat, lon) in [(0.0, 0.0), (0.0, 180.0), (0.0, -180.0), (0.0, 90.0), (85.0, 45.0)] {
            assert!(at(lat, lon).iter().all(|v| *v < 1 << BITS));
        }
        assert!(max_chord_squared(f64::INFINITY) >= chord_squared(at(0.0, 0.0), at(0.0, 180.0)));
        assert_eq!(max_chord_squared(0.0), 37);
    }

    #[test]
    fn a_child_holds_its_entries_and_the_halves_know_how_far_it_is() {
        let (entry, from) = (at(48.85, 2.35), at(48.86, 2.30));
        let mut cell = Cell::ROOT;
        for depth in 0..PLACE_DEPTH + 3 {
            let child = child_of(entry, 0b101_011_110, depth);
            let halves = cell.halves(from);
            let near = halves[0][child & 1] + halves[1][child >> 1 & 1] + halves[2][child >> 2 & 1];
            cell = cell.child(child);
            let clamped = [0, 1, 2].map(|i| from[i].clamp(cell.low[i], cell.low[i] + (cell.edge() - 1)));
            assert_eq!(near, chord_squared(from, clamped));
            assert!((0..3).all(|i| entry[i] >= cell.low[i] && entry[i] - cell.low[i] < cell.edge()));
        }
    }
}
