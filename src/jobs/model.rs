//! Jobs to add, leased jobs, and the ends of leases.

use super::id::{JobId, LeaseToken};
use compact_str::CompactString;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// When a job is first due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunAt {
    /// Now.
    #[default]
    Now,
    /// After a delay, counted from when it is added.
    After(Duration),
    /// At a time, Unix milliseconds by Redis's clock; a past time means now.
    At(i64),
}

/// How long a job waits after a failure before it is ready again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// How the delays grow.
    pub kind: BackoffKind,
    /// The first delay.
    pub base: Duration,
    /// The maximum delay.
    pub max: Duration,
    /// The part of a delay, 0 to 1, of which a random share is subtracted, so that jobs that failed together are not retried together.
    pub jitter: f64,
}

/// How the delays of a [`Backoff`] grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackoffKind {
    /// All delays are equal.
    Fixed,
    /// Each delay is twice the previous one.
    Exponential,
}

impl Default for Backoff {
    /// Exponential, from a second up to ten minutes, with up to a fifth subtracted.
    fn default() -> Self {
        Self {
            kind: BackoffKind::Exponential,
            base: Duration::from_secs(1),
            max: Duration::from_mins(10),
            jitter: 0.2,
        }
    }
}

/// A unique key and its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// The key: any text that is an [`ExternalId`](crate::ids::ExternalId).
    pub key: CompactString,
    /// What happens if another job has the key.
    pub mode: UniqueMode,
    /// How long the job keeps the key after it is added, even if it is done; `None` until it is done. A dead or cancelled job keeps no key.
    pub keep: Option<Duration>,
    /// With [`UniqueMode::Debounce`], the maximum time for which jobs with the key postpone the first of them, after that is added.
    pub max_wait: Option<Duration>,
}

/// What happens to a job whose unique key another job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UniqueMode {
    /// It is not added; the answer names the other job.
    #[default]
    Refuse,
    /// It is added. The other job is deleted if it still waits; if it is leased it may end, and is cancelled if it would run again.
    Replace,
    /// The other job, if it still waits, is updated to this one under its own id and waits again, up to [`Unique::max_wait`]; otherwise this
    /// job is added as by [`Self::Replace`].
    Debounce,
}

/// A job to add.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The type, `type` in JSON. An [`crate::ids::Id`].
    pub kind: CompactString,
    /// The payload, JSON.
    pub payload: Box<RawValue>,
    /// 0 to 1,000; higher priorities run first.
    pub priority: u16,
    /// When it is first due.
    pub run_at: RunAt,
    /// Maximum number of attempts, 1 to 100.
    pub max_attempts: u32,
    /// The delay between attempts.
    pub backoff: Backoff,
    /// The time limit of an attempt; zero for none.
    pub timeout: Duration,
    /// A key that at most one job of the queue has at a time.
    pub unique: Option<Unique>,
    /// The retention of the job after it is done; zero deletes it at once.
    pub keep_result: Duration,
}

impl NewJob {
    /// Creates a job with defaults: priority 0, due now, five attempts, the default backoff, no time limit, no unique key, kept for an hour.
    #[must_use]
    pub fn new(kind: impl Into<CompactString>, payload: Box<RawValue>) -> Self {
        Self {
            kind: kind.into(),
            payload,
            priority: 0,
            run_at: RunAt::Now,
            max_attempts: 5,
            backoff: Backoff::default(),
            timeout: Duration::ZERO,
            unique: None,
            keep_result: Duration::from_hours(1),
        }
    }
}

/// The result of adding a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The job, or the existing job that has its unique key.
    pub id: JobId,
    /// The outcome.
    pub outcome: AddOutcome,
}

/// The outcome of adding a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddOutcome {
    /// The job was added.
    Created,
    /// The job was not added, because another job has its unique key. The id is that of the other job.
    Existing,
    /// The job was added, and another job with its unique key was deleted.
    Replaced,
    /// Another job with its unique key was updated to it. The id is that of the other job.
    Debounced,
}

/// A request for jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Maximum number of jobs, 1 to 1,000.
    pub count: usize,
    /// The duration of the leases, 100 ms to an hour.
    pub lease: Duration,
    /// Maximum time to wait for a job if there is none, up to a minute.
    pub wait: Duration,
    /// The types of jobs to lease, up to [`super::MAX_TYPES`]; all types if empty.
    pub kinds: Vec<CompactString>,
}

impl LeaseRequest {
    /// Requests up to `count` jobs of all types for half a minute, without waiting.
    #[must_use]
    pub const fn of(count: usize) -> Self {
        Self {
            count,
            lease: Duration::from_secs(30),
            wait: Duration::ZERO,
            kinds: Vec::new(),
        }
    }
}

/// A leased job.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The id.
    pub id: JobId,
    /// The type, `type` in JSON.
    pub kind: CompactString,
    /// The payload.
    pub payload: Box<RawValue>,
    /// 0 to 1,000.
    pub priority: u16,
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// The time limit of the attempt; zero for none.
    pub timeout: Duration,
    /// When it was added, by Redis's clock, Unix milliseconds.
    pub created_ms: i64,
    /// When it was first due, since it was added or last continued ([`End::Then`]); the same at each attempt.
    pub run_at_ms: i64,
    /// The token to settle the lease with.
    pub token: LeaseToken,
    /// When the lease expires, by Redis's clock, Unix milliseconds.
    pub lease_expires_at: i64,
}

/// How a worker ends a lease.
#[derive(Debug, Clone)]
pub enum End {
    /// The job is done.
    Complete {
        /// The result, kept with the job.
        result: Option<Box<RawValue>>,
    },
    /// The attempt failed.
    Fail {
        /// The reason; the first 1,000 bytes are kept.
        error: String,
        /// Whether the job is retried.
        retry: Retry,
    },
    /// The job continues later under the same id: a series, which one cancellation ends.
    Then {
        /// The new type; unchanged if `None`.
        kind: Option<CompactString>,
        /// The new payload; unchanged if `None`.
        payload: Option<Box<RawValue>>,
        /// The delay.
        delay: Duration,
    },
    /// The job was not started and returns to its place in line, unless another job has taken its unique key. The attempt does not count.
    Release,
}

/// Whether a failed job is retried. It is never retried after its last attempt, or once another job has taken its unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// After its backoff.
    #[default]
    Policy,
    /// Never: the job is dead.
    Never,
    /// After a delay.
    After(Duration),
    /// After its backoff, but not before a delay.
    AtLeast(Duration),
    /// After a delay, and the attempt does not count: nothing was started, because something that the job needs was unavailable. From a day
    /// after the job was added on, the attempt counts and the backoff applies too, so that no job is retried forever.
    Uncounted(Duration),
}

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The job.
    pub id: JobId,
    /// The token of the lease.
    pub token: LeaseToken,
    /// The end.
    pub end: End,
}

/// The outcome of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleOutcome {
    /// The lease is settled, by this call or an earlier one. The job is in this state.
    Settled(State),
    /// The lease has expired or belongs to another worker, and nothing was changed. The job is in this state.
    NotYours(State),
    /// The job does not exist, or is deleted.
    Unknown,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub enum State {
    /// Ready to be leased.
    Ready,
    /// Due later, for the first time or for a retry.
    Delayed,
    /// Leased by a worker.
    Leased,
    /// Completed.
    Done,
    /// Failed for the last time.
    Dead,
    /// Cancelled before it ended.
    Cancelled,
}

impl State {
    /// All states, in the order in which a job passes through them.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Delayed,
        Self::Leased,
        Self::Done,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Returns the name of the state.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the letter that stands for the state in Redis.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Ready => 'r',
            Self::Delayed => 'w',
            Self::Leased => 'l',
            Self::Done => 'd',
            Self::Dead => 'x',
            Self::Cancelled => 'c',
        }
    }

    pub(super) fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.letter() == letter)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
