//! What is put in, what is taken out, and how it ends.

use super::id::{JobId, LeaseToken};
use compact_str::CompactString;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// When a job is to run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunAt {
    /// As soon as it is its turn.
    #[default]
    Now,
    /// So long after it was put in.
    After(Duration),
    /// At this time, Unix milliseconds by Redis's clock; at once if that is over.
    At(i64),
}

/// How long a job that has failed waits before it is ready again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Whether the waits double.
    pub kind: BackoffKind,
    /// The first wait.
    pub base: Duration,
    /// The longest.
    pub max: Duration,
    /// The part of a wait, 0 to 1, of which a random share is left out, so that what failed together does not come
    /// back together.
    pub jitter: f64,
}

/// Whether the waits of a [`Backoff`] grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackoffKind {
    /// All are as long as the first.
    Fixed,
    /// Each is twice as long as the one before.
    Exponential,
}

impl Default for Backoff {
    /// From a second, doubled up to ten minutes, up to a fifth of it left out.
    fn default() -> Self {
        Self {
            kind: BackoffKind::Exponential,
            base: Duration::from_secs(1),
            max: Duration::from_mins(10),
            jitter: 0.2,
        }
    }
}

/// What a unique key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// The key: any text that is an [`ExternalId`](crate::ids::ExternalId).
    pub key: CompactString,
    /// What happens to a job whose key is taken.
    pub mode: UniqueMode,
    /// For how long from its putting in a job keeps the key, whether it is done or not; until it is done if not given. A job that is
    /// dead or cancelled keeps none.
    pub keep: Option<Duration>,
    /// With [`UniqueMode::Debounce`], for how long at most jobs with the key can put off the first of them, from its putting in.
    pub max_wait: Option<Duration>,
}

/// What happens to a job whose unique key another has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UniqueMode {
    /// It is not put in; the answer names the other.
    #[default]
    Refuse,
    /// It is put in. The other, if it still waits, is withdrawn; if it runs it may end, and is cancelled where it would run again.
    Replace,
    /// The other, if it still waits, keeps its id and becomes as this one, and waits for as long anew, up to [`Unique::max_wait`]; else
    /// this one is put in, as by [`Self::Replace`].
    Debounce,
}

/// A job to be put in.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it is; called `type` in JSON. An [`crate::ids::Id`].
    pub kind: CompactString,
    /// What it is about: JSON that its worker understands.
    pub payload: Box<RawValue>,
    /// 0 to 1,000; higher ones first.
    pub priority: u16,
    /// When it is to run first.
    pub run_at: RunAt,
    /// How often it is tried, 1 to 100.
    pub max_attempts: u32,
    /// How long it waits between that.
    pub backoff: Backoff,
    /// How long one attempt may take; zero for as long as its worker extends the lease.
    pub timeout: Duration,
    /// A key that no two jobs of the queue have at once.
    pub unique: Option<Unique>,
    /// For how long it is remembered when it is done; zero for not at all.
    pub keep_result: Duration,
}

impl NewJob {
    /// A job of a type, with what it is about; everything else as usual: priority 0, at once, five attempts, the default
    /// backoff, no limit of time, no unique key, remembered for an hour.
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

/// What became of a job that was to be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The job that there is now.
    pub id: JobId,
    /// How it came to that.
    pub outcome: AddOutcome,
}

/// How a job was put in, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddOutcome {
    /// It was.
    Created,
    /// It was not: another has its unique key, and is named instead.
    Existing,
    /// It was, and one with its unique key was withdrawn.
    Replaced,
    /// One with its unique key took its place, and is named instead.
    Debounced,
}

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// At most so many jobs, 1 to 1,000.
    pub count: usize,
    /// For how long, 100 ms to an hour.
    pub lease: Duration,
    /// How long to wait if there are none, up to a minute.
    pub wait: Duration,
    /// Only jobs of these types; of all if empty. Up to [`super::MAX_TYPES`].
    pub kinds: Vec<CompactString>,
}

impl LeaseRequest {
    /// So many jobs of all types for half a minute, without waiting.
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

/// A job that a worker has for a time.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Which.
    pub id: JobId,
    /// What it is; called `type` in JSON.
    pub kind: CompactString,
    /// What it is about.
    pub payload: Box<RawValue>,
    /// 0 to 1,000.
    pub priority: u16,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// How many there are.
    pub max_attempts: u32,
    /// How long this one may take; zero for as long as the lease is extended.
    pub timeout: Duration,
    /// When it was put in, by Redis's clock, Unix milliseconds.
    pub created_ms: i64,
    /// When it was to run first, or as what it is since it went on ([`End::Then`]); the same at each attempt.
    pub run_at_ms: i64,
    /// What to settle it with.
    pub token: LeaseToken,
    /// When the lease ends, by Redis's clock, Unix milliseconds.
    pub lease_expires_at: i64,
}

/// How a worker ends a lease.
#[derive(Debug, Clone)]
pub enum End {
    /// The job is done.
    Complete {
        /// What came of it, to be remembered with the job.
        result: Option<Box<RawValue>>,
    },
    /// It could not be done.
    Fail {
        /// Why; the first 1,000 bytes are remembered.
        error: String,
        /// Whether it is tried again.
        retry: Retry,
    },
    /// It is done for now and goes on later under the same id: a series, which one cancelling ends as a whole.
    Then {
        /// Of what type it is then; as it was if not given.
        kind: Option<CompactString>,
        /// What it is about then; as it was if not given.
        payload: Option<Box<RawValue>>,
        /// After how long.
        delay: Duration,
    },
    /// It was not begun, and goes back to its place, unless another has taken its unique key; the attempt does not count.
    Release,
}

/// Whether a job that failed is tried again. Never after its last attempt, nor once another has taken its unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// As its backoff says.
    #[default]
    Policy,
    /// No: it is dead at once.
    Never,
    /// After so long.
    After(Duration),
    /// As its backoff says, but not before so long.
    AtLeast(Duration),
    /// After so long, and the attempt does not count: what it needs was not to be had, and nothing was begun. A day after the job
    /// was put in it counts, and the backoff holds beside that: nothing is tried for ever.
    Uncounted(Duration),
}

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Of which job.
    pub id: JobId,
    /// As it was leased with.
    pub token: LeaseToken,
    /// How.
    pub end: End,
}

/// What a settlement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleOutcome {
    /// It holds, now or since before; the job is in this state.
    Settled(State),
    /// The lease is another's or is over, and nothing was changed; the job is in this state.
    NotYours(State),
    /// There is no such job, or none any more.
    Unknown,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub enum State {
    /// In line.
    Ready,
    /// Waits for its time, the first or that of another attempt.
    Delayed,
    /// A worker has it.
    Leased,
    /// It was completed.
    Done,
    /// It has failed for the last time.
    Dead,
    /// It was cancelled before it ended.
    Cancelled,
}

impl State {
    /// All, in the order of a job's life.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Delayed,
        Self::Leased,
        Self::Done,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Its name.
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

    /// Its letter in Redis.
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
