//! The commands, and what they share. `serve` runs the service. The others are clients of a running service over HTTP:
//! `simulate` pushes the positions of a fleet or of a recording, `load` measures, `check` checks the health. `simulate`
//! calls the service through the crate `fleetpulse-client`, `load` and `check` through the small HTTP client in `client`.

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
