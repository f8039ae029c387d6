use crate::tracking::Kind;
use std::path::PathBuf;
use std::time::Duration;

/// The options of a replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The service.
    pub url: String,
    /// The kind of the entities.
    pub kind: Kind,
    /// The recording: CSV with the header `id,ts_ms,lat,lon[,speed,heading]`, gzip or plain, in order of time (a row
    /// earlier than those before it is sent at once, with its own time).
    pub path: PathBuf,
    /// Recorded seconds in a second.
    pub speed: f64,
    /// Send as fast as the service answers; times are then mapped onto the minute before the start.
    pub as_fast: bool,
    /// Fixes in a request.
    pub batch: u32,
    /// The number of connections.
    pub connections: u32,
    /// Read the position of every entity afterwards.
    pub verify: bool,
    /// The service's TTL, for `verify`.
    pub ttl: Duration,
    /// The time limit of a request.
    pub timeout: Duration,
    /// Show progress on stderr if it is a terminal.
    pub progress: bool,
}
