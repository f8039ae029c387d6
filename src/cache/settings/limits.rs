use std::time::Duration;

/// The maximum TTL of an entry, and the maximum time that it may be served stale after that.
pub const MAX_TTL: Duration = Duration::from_hours(31 * 24);
pub(super) const MAX_TTL_S: i64 = 31 * 24 * 3_600;

/// The maximum length of a key, in bytes.
pub const MAX_KEY: usize = 256;

/// The maximum number of tags of an entry.
pub const MAX_TAGS: usize = 32;
