//! Runs jobs in this process: a type of job is a [`Job`], a [`Registry`] knows several, a [`Pool`] takes them off a queue.
//!
//! ```text
//!            lease             begin                 settle
//!  a queue ────────▶ waiting ────────▶ running ────▶ ended ────────▶ done, or another attempt
//!     ▲                 │ release         │ panicked, timed out: a failure
//!     └─────────────────┴─────────────────┘ the lease was lost: dropped, it is another's
//! ```
//!
//! **Fast by going together.** The ends of jobs gather while the last call to Redis is under way, and go together with the
//! asking for the next jobs, in one script call; two such calls alternate, so that Redis and this process work at the same
//! time. Handlers are polled in the pool's own task, and first where they are begun: a job that has nothing to wait for costs
//! no task, no timer and no wake-up. A handler that computes for long blocks the others of its pool: let it use
//! `spawn_blocking`, or start a pool for each thread.
//!
//! **Leased ahead** is only what is run within the next few milliseconds, by the rate of the last ones: slow jobs are
//! leased one for each place that is free, and other workers find the rest. What stands behind slow ones nevertheless is
//! given back after a second.
//!
//! **Leases** are extended at a third of their time for as long as the handler may run ([`Job::TIMEOUT`]). One that could
//! not be extended in time by the monotonic clock of this machine is lost, and its handler is dropped where it waits:
//! another worker may have the job by then. The end of an attempt is said again until Redis has heard it.
//!
//! **Stopping** drains: nothing is leased any more, what was leased and not begun goes back to its place at once, and what
//! runs may end within a time. What does not is dropped and goes back too; neither counts as an attempt, so a deploy
//! neither loses a job nor uses its attempts up.

mod attempt;
mod context;
mod job;
mod pool;
mod registry;
mod work;

pub use context::Context;
pub use job::{Job, JobFailure, Outcome, json};
pub use pool::{Pool, PoolSettings};
pub use registry::Registry;
