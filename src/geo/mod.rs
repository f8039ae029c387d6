//! Points, distances, boxes: pure geometry on the WGS 84 sphere of mean radius, no I/O. Imports nothing of ours.

mod point;

pub use point::{MAX_LATITUDE_DEG, Point, PointError};
