//! Queues of jobs: none is lost, each runs in its turn, at least once.

mod api;
mod check;
mod commands;
mod delivery;
mod error;
pub mod handlers;
mod id;
mod known;
mod model;
mod record;
pub mod schedule;
mod stats;
pub mod sweep;
mod wakeups;

pub use api::{Cursor, Jobs, Page, Validator};
pub use check::{
    ATTEMPTS, COUNT, KEEP_S, LEASE_MS, MAX_BATCH, MAX_ERROR, MAX_TYPES, PRIORITY, TIMEOUT_MS, WAIT_MS, YEAR, YEAR_MS,
};
pub use commands::Event;
pub use error::{Fault, JobsError};
pub use id::{JobId, LeaseToken, MAX_QUEUE_LEN};
pub use model::{
    AddOutcome, Added, Backoff, BackoffKind, End, LeaseRequest, Leased, NewJob, Retry, RunAt, SettleOutcome,
    Settlement, State, Unique, UniqueMode,
};
pub use record::{Failure, Job};
pub use stats::{Counts, Times, Totals};
pub use wakeups::Wakeups;
