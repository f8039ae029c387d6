//! Runs jobs in this process: a type of job is a [`Job`], a [`Registry`] has several types, a [`Pool`] leases and runs the jobs of a queue.
//!
//! ```text
//!            lease             begin                 settle
//!  a queue ────────▶ waiting ────────▶ running ────▶ ended ────────▶ done, or another attempt
//!     ▲                 │ release         │ panicked, timed out: a failure
//!     └─────────────────┴─────────────────┘ the lease was lost: dropped
//! ```
//!
//! **Batching.** While a call to Redis is in progress, the ends of jobs collect; the next call settles them and leases the next jobs in one
//! script. Two such calls alternate, so that Redis and this process work at the same time. Handlers are polled in the task of the pool, for
//! the first time when they are started: a job that never waits costs no task, no timer and no wake-up. A handler that computes for long
//! blocks the others of its pool: it must use `spawn_blocking`, or run in a pool on a thread of its own.
//!
//! **Prefetch.** The pool leases ahead only the jobs that it will run within the next few milliseconds, by the rate of the last jobs: slow
//! jobs are leased one for each free place, and other workers lease the rest. A job that waits for more than a second is released.
//!
//! **Leases** are extended after a third of their duration, up to the time limit of the handler ([`Job::TIMEOUT`]). A lease that could not
//! be extended in time, by the monotonic clock of this machine, is lost, and its handler is dropped at an await: another worker may have
//! leased the job. A settlement is repeated until Redis has answered.
//!
//! **Stopping** drains: no job is leased, jobs that were not started are released at once, and running handlers may end within a time. The
//! others are dropped and released. A released job does not lose an attempt, so a deployment neither loses jobs nor uses up attempts.

mod attempt;
mod context;
mod job;
mod pool;
mod registry;
mod run;
mod work;

pub use context::Context;
pub use job::{Job, JobFailure, Outcome, json};
pub use pool::{Pool, PoolSettings};
pub use registry::Registry;
