//! Redis.

pub mod embedded;
