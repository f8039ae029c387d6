//! Redis is not always the one of a moment ago, nor for one deployment alone.

mod clock;
mod databases;
mod flushed;
mod idle;
mod links;

use std::time::Duration;

/// Longer than any of this takes.
const SOON: Duration = Duration::from_secs(20);
