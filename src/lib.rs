//! fleetpulse: geo-tracking for a Mobility-as-a-Service platform.

pub mod cli;
pub mod geo;
pub mod ids;
pub mod store;
pub mod tracking;
