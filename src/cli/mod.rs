//! The commands that talk to a running service over HTTP, and what they share. `simulate` is a fleet or a recording that
//! pushes its positions; `load` measures. Nothing here looks into the service: what they see is what any client sees.

pub mod check;
pub mod client;
pub mod hotspots;
pub mod load;
pub mod serve;
pub mod simulate;

mod args;
mod encode;
mod histogram;
