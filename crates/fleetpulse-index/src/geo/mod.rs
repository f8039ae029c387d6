//! Points, distances and boxes on the sphere of the mean earth radius, and the geohash of Redis GEO.

mod bounding_box;
mod geohash;
mod point;
mod sphere;
mod unit_vec;

pub use bounding_box::{BoundingBox, BoundingBoxError};
pub use geohash::{geohash52, searchable};
pub use point::{MAX_LATITUDE_DEG, MAX_WRAPPED_LONGITUDE_DEG, Point, PointError, wrap_longitude};
pub use sphere::{EARTH_RADIUS_M, bearing_deg, destination, distance_m};
pub(crate) use unit_vec::UnitVec;
