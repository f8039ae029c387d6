//! The bounds of the arguments of calls, from HTTP and from Rust.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Maximum number of types of jobs of a queue.
pub const MAX_TYPES: usize = 64;
/// Maximum number of jobs that one call adds, leases or settles.
pub const MAX_BATCH: usize = 1_000;
/// The number of jobs that a call may lease, as a number in JSON.
pub const COUNT: RangeInclusive<i64> = 1..=1_000;
/// The duration of a lease, ms. A worker that needs a job longer extends the lease.
pub const LEASE_MS: RangeInclusive<i64> = 100..=3_600_000;
/// The time that a request may wait for jobs, ms.
pub const WAIT_MS: RangeInclusive<i64> = 0..=60_000;
/// The priority of a job; higher priorities run first.
pub const PRIORITY: RangeInclusive<i64> = 0..=1_000;
/// The maximum number of attempts of a job.
pub const ATTEMPTS: RangeInclusive<i64> = 1..=100;
/// A leap year, the maximum delay of a job.
pub const YEAR: Duration = Duration::from_hours(366 * 24);
/// A delay up to [`YEAR`], ms.
pub const YEAR_MS: RangeInclusive<i64> = 0..=366 * 86_400_000;
/// The time limit of an attempt, ms; 0 for none.
pub const TIMEOUT_MS: RangeInclusive<i64> = 0..=86_400_000;
/// The retention of a done job, s.
pub const KEEP_S: RangeInclusive<i64> = 0..=31_622_400;
/// Maximum size of a stored error, bytes.
pub const MAX_ERROR: usize = 1_000;
/// Maximum size of the progress of a job, bytes. Every lease and settlement of the job reads it.
pub const MAX_PROGRESS: u32 = 4_096;
/// Maximum number of schedules of a queue.
pub const MAX_SCHEDULES: usize = 100;
