use super::limits::{MAX_SCHEDULES, MAX_TYPES};
use super::model::State;
use crate::runtime::NoRoom;
use crate::store::StoreError;

/// A fault of one member of a job, or of a call about jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The index of the job in the call; the first is 0.
    pub index: usize,
    /// The member, by its name in JSON.
    pub member: String,
    /// The reason.
    pub detail: String,
}

impl Fault {
    /// Creates a fault of the first job.
    pub fn new(member: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            index: 0,
            member: member.into(),
            detail: detail.into(),
        }
    }

    /// Returns the fault with the index of another job.
    #[must_use]
    pub fn of(self, index: usize) -> Self {
        Self { index, ..self }
    }
}

/// Why a call about jobs failed.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// Validation failed; nothing was changed.
    #[error("{} value(s) are not valid", .0.len())]
    Invalid(Vec<Fault>),
    /// The queue would have more than [`MAX_TYPES`] types of jobs.
    #[error("a queue has at most {MAX_TYPES} types of jobs")]
    TooManyTypes,
    /// There would be more than `JOBS_MAX_QUEUES` queues.
    #[error("the maximum number of queues exists (JOBS_MAX_QUEUES); use an existing queue")]
    TooManyQueues,
    /// The queue would have more than [`MAX_SCHEDULES`] schedules.
    #[error("a queue has at most {MAX_SCHEDULES} schedules")]
    TooManySchedules,
    /// `JOBS_MAX_WAITING` jobs are waiting or leased.
    #[error("JOBS_MAX_WAITING jobs are waiting or leased; try again when some have ended, or cancel jobs")]
    TooManyWaiting,
    /// The queues hold `JOBS_MAX_BYTES`.
    #[error("the queues hold JOBS_MAX_BYTES; try again when jobs have ended, or cancel jobs")]
    TooManyBytes,
    /// The idempotency key was used with another body.
    #[error("the same key was used with another body; use a new key")]
    KeyReused,
    /// No memory is left for the answer; nothing was changed.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// There is no schedule of that name.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// The job does not exist, or is deleted.
    #[error("there is no such job")]
    Unknown,
    /// The lease has expired or belongs to another worker. The job is in this state.
    #[error("the lease has ended and the job is {0}; discard the result, and lease another job")]
    NotYours(State),
    /// The call is not possible for a job in this state, or another job has its unique key.
    #[error("the job is {0}, which does not allow this call, or another job has its unique key; read the job first")]
    Conflict(State),
    /// An error of Redis. After [`StoreError::Lost`] the call may have been carried out: a repeated settlement has the same outcome, a
    /// repeated `add` adds the jobs again unless they have unique keys, and jobs that were leased return when their leases expire.
    #[error(transparent)]
    Store(#[from] StoreError),
}
