//! Points, distances, boxes: pure geometry on the WGS 84 sphere of mean radius, no I/O. Imports nothing of ours.

mod bounding_box;
mod geohash;
mod point;
mod sphere;
mod unit_vec;

pub use bounding_box::{BoundingBox, BoundingBoxError};
pub use geohash::{geohash52, searchable};
pub use point::{MAX_LATITUDE_DEG, MAX_WRAPPED_LONGITUDE_DEG, Point, PointError, wrap_longitude};
pub use sphere::{EARTH_RADIUS_M, bearing_deg, destination, distance_m};
pub use unit_vec::UnitVec;
