//! The `fleetpulse` command.

fn main() {}
