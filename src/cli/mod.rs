//! The commands, and what they share. `serve` is the service itself. The others talk to a running one over HTTP and see what any
//! client sees: `simulate` is a fleet or a recording that pushes its positions, `load` measures, `check` asks whether it is well.
//! `client` is their HTTP client, and that of the service where it asks itself.

pub mod check;
pub mod client;
pub mod command;
pub mod config_file;
pub mod hotspots;
pub mod load;
pub mod routes;
pub mod serve;
pub mod settings;
pub mod simulate;

mod args;
mod encode;
mod histogram;
mod markdown;
