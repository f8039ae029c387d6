//! Positions in, the nearest out.

mod kind;
pub mod live;
pub mod model;

pub use kind::Kind;
