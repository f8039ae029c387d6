use crate::jobs::{Fault, JobId, Jobs, JobsError, LeaseToken, Leased};
use compact_str::CompactString;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context as TaskContext;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a handler knows of its job. Cheap to clone; outlives the handler in whatever it started.
#[derive(Debug)]
pub struct Context<S> {
    pub(super) lease: Arc<Lease>,
    pub(super) jobs: Jobs,
    pub(super) state: Arc<S>,
    /// How long the attempt may take from its lease on; zero for as long as it likes.
    pub(super) limit: Duration,
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            lease: Arc::clone(&self.lease),
            jobs: self.jobs.clone(),
            state: Arc::clone(&self.state),
            limit: self.limit,
        }
    }
}

/// The state that handlers share.
impl<S> Deref for Context<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.state
    }
}

impl<S> Context<S> {
    /// The job's id: the same at each attempt, so of use as an idempotency key.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.lease.id
    }

    /// Which attempt this is; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.lease.attempt
    }

    /// How many there may be.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.lease.max_attempts
    }

    /// When the job was put in, by Redis's clock, Unix milliseconds.
    #[must_use]
    pub fn created_ms(&self) -> i64 {
        self.lease.created_ms
    }

    /// When it was to run first, or as what it is since it went on ([`super::Outcome::Then`]), by Redis's clock, Unix milliseconds:
    /// the same at each attempt. Later than now if it was called on to run before.
    #[must_use]
    pub fn run_at_ms(&self) -> i64 {
        self.lease.run_at_ms
    }

    /// How long this attempt may still take before it is dropped where it waits; `None` for as long as it likes. What has to be
    /// seen as a failure by the handler itself is given up before.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let over = self.lease.start + self.limit;
        (!self.limit.is_zero()).then(|| over.saturating_duration_since(Instant::now()))
    }

    /// Says how far it has come: any JSON of up to 4 KiB, shown by `GET /v1/jobs/{id}`.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] if it is too long. [`JobsError::NotYours`] if the lease was lost or the job cancelled: it is of no use to go on.
    pub async fn progress(&self, value: &impl Serialize) -> Result<(), JobsError> {
        let value =
            to_raw_value(value).map_err(|error| JobsError::Invalid(vec![Fault::new("progress", error.to_string())]))?;
        let told = self.jobs.progress(&self.lease.id, self.lease.token, &value).await;
        if matches!(told, Err(JobsError::NotYours(_) | JobsError::Unknown)) {
            self.lease.lose();
        }
        told
    }

    /// Whether the lease was lost: the job was cancelled, has run out of time, or is another's by now. The handler's future
    /// has been dropped then; this is for what it started elsewhere, such as a thread.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lease.is_lost()
    }

    /// Resolves when [`Self::is_lost`].
    pub async fn lost(&self) {
        let notified = self.lease.lost_here.notified();
        if !self.is_lost() {
            notified.await;
        }
    }
}

fn within(ends: Option<Instant>, until: Instant) -> Instant {
    ends.map_or(until, |ends| until.min(ends))
}

/// A job that this pool has leased.
#[derive(Debug)]
pub(super) struct Lease {
    pub id: JobId,
    pub kind: CompactString,
    pub token: LeaseToken,
    pub attempt: u32,
    pub max_attempts: u32,
    pub created_ms: i64,
    pub run_at_ms: i64,
    /// When it was asked for, by this machine's monotonic clock: not later than it began.
    pub start: Instant,
    /// When the job's time is over, however often the lease is extended.
    pub ends: Option<Instant>,
    /// Until when; counted from before it was asked for, so never later than Redis has it.
    // Held for a look or a change.
    pub until: Mutex<Instant>,
    lost: AtomicBool,
    /// The task that runs the handler.
    runner: AtomicWaker,
    lost_here: Notify,
}

impl Lease {
    pub fn new(leased: &Leased, start: Instant, time: Duration) -> Self {
        let ends = (!leased.timeout.is_zero()).then(|| start + leased.timeout);
        Self {
            id: leased.id.clone(),
            kind: leased.kind.clone(),
            token: leased.token,
            attempt: leased.attempt,
            max_attempts: leased.max_attempts,
            created_ms: leased.created_ms,
            run_at_ms: leased.run_at_ms,
            start,
            ends,
            until: Mutex::new(within(ends, start + time)),
            lost: AtomicBool::new(false),
            runner: AtomicWaker::new(),
            lost_here: Notify::new(),
        }
    }

    /// How long an attempt may go on from its start, as the job says or as is usual for its type; zero for as long as it likes.
    pub fn limit(&self, usual: Duration) -> Duration {
        let limit = self.ends.map_or(usual, |ends| ends - self.start);
        // Redis ends the lease when the time is over, so the word that it was has to be there before.
        let margin = (limit / 10).min(Duration::from_secs(1));
        limit.saturating_sub(margin)
    }

    /// It was extended, as asked at `start`.
    pub fn extended(&self, start: Instant, time: Duration) {
        let mut until = self.until.lock();
        *until = (*until).max(within(self.ends, start + time));
    }

    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.runner.wake();
        self.lost_here.notify_waiters();
    }

    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Wakes this task when the lease is lost; says whether it is.
    pub fn watch(&self, task: &TaskContext<'_>) -> bool {
        self.runner.register(task.waker());
        self.is_lost()
    }
}
