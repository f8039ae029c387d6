//! Changes of Redis under a running service: closed connections, a flush, a clock that is set back, shared servers.

mod clock;
mod databases;
mod flushed;
mod idle;
mod links;

use std::time::Duration;

/// Longer than any of this takes.
const SOON: Duration = Duration::from_secs(20);
