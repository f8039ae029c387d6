#![doc = include_str!("../README.md")]

pub mod geo;
mod id;
pub mod live;
pub mod model;
pub mod profile;

pub use id::{Id, IdError};
