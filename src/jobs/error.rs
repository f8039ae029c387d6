use super::model::State;
use crate::runtime::NoRoom;
use crate::store::StoreError;

/// What is wrong with one member of a job, or of a call about jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which job of those that were handed in; the first has 0.
    pub index: usize,
    /// The member, by its name in JSON.
    pub member: String,
    /// Why.
    pub detail: String,
}

impl Fault {
    /// A fault of the first job.
    pub fn new(member: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            index: 0,
            member: member.into(),
            detail: detail.into(),
        }
    }

    /// The same fault of another job.
    #[must_use]
    pub fn of(self, index: usize) -> Self {
        Self { index, ..self }
    }
}

/// Why a call about jobs came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// Something is not acceptable; nothing was done.
    #[error("{} value(s) are not acceptable", .0.len())]
    Invalid(Vec<Fault>),
    /// The queue would have more types of jobs than it may, [`super::MAX_TYPES`].
    #[error("a queue has at most {} types of jobs", super::MAX_TYPES)]
    TooManyTypes,
    /// There would be more queues than there may be.
    #[error("there are as many queues as there may be; use one that exists")]
    TooManyQueues,
    /// The queue would have more schedules than it may, [`super::schedules::MAX_SCHEDULES`].
    #[error("a queue has at most {} schedules", super::schedules::MAX_SCHEDULES)]
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
    /// No memory is left for the answer; nothing was done.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// There is no schedule of that name.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// There is no such job, or none any more.
    #[error("there is no such job")]
    Unknown,
    /// The lease is another's or is over; the job is in this state.
    #[error("the lease is over and the job is {0}; drop what was done, and lease again")]
    NotYours(State),
    /// What is asked for cannot be done to a job in this state, or another job has its unique key.
    #[error("the job is {0}")]
    Conflict(State),
    /// Redis. After [`StoreError::Lost`] the call may have been carried out: a repeated settlement is answered as the first was,
    /// repeated adding puts the jobs in again unless they have a unique key, and what was leased unheard is as after a crash of its worker:
    /// the lease runs out, and the attempt counts.
    #[error(transparent)]
    Store(#[from] StoreError),
}
