//! Positions in, the nearest out.

pub mod live;
pub mod model;

pub use crate::kind::Kind;
