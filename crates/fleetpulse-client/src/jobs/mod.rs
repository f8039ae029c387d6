//! Jobs: enqueue them, lease them, settle the leases; a pool of workers.
//!
//! A job may run more than once, for example if its worker was only slow. Make its effect idempotent, for example with the id of the job as
//! an idempotency key.

mod lease;
mod new_job;
mod pool;
mod queue;
mod settle;

use crate::Client;
pub use lease::{LeaseRequest, LeasedJob};
pub use new_job::{Backoff, BackoffKind, EnqueueOutcome, EnqueuedJob, NewJob, UniqueMode};
pub use pool::WorkerPool;
pub use queue::{Counts, Job, JobError, JobState, JobsPage, Queue};
pub use settle::{
    Completion, Continuation, End, EndedLease, Failure, Retry, Settled, SettledJob, Settlement, SettlementOutcome,
};

/// Calls about jobs and queues; see [`Client::jobs`].
#[derive(Debug, Clone, Copy)]
pub struct Jobs<'c> {
    client: &'c Client,
}

impl<'c> Jobs<'c> {
    pub(crate) const fn new(client: &'c Client) -> Self {
        Self { client }
    }
}
