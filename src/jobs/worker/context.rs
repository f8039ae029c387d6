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

/// The context of a handler: its job, lease and state. Cheap to clone; tasks that the handler starts may keep it.
#[derive(Debug)]
pub struct Context<S> {
    pub(super) lease: Arc<Lease>,
    pub(super) jobs: Jobs,
    pub(super) state: Arc<S>,
    /// The time limit of the attempt from its lease on; zero for none.
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
    /// Returns the id of the job. It is the same at each attempt, so it can be an idempotency key.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.lease.id
    }

    /// Returns the number of the attempt; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.lease.attempt
    }

    /// Returns the maximum number of attempts.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.lease.max_attempts
    }

    /// Returns when the job was added, by Redis's clock, Unix milliseconds.
    #[must_use]
    pub fn created_ms(&self) -> i64 {
        self.lease.created_ms
    }

    /// Returns when the job was first due, since it was added or last continued ([`super::Outcome::Then`]), by Redis's clock, Unix
    /// milliseconds: the same at each attempt. It is later than now if the job was retried before it was due.
    #[must_use]
    pub fn run_at_ms(&self) -> i64 {
        self.lease.run_at_ms
    }

    /// Returns the time left of this attempt before its future is dropped; `None` without a time limit. A handler that must see a timeout as
    /// a failure uses a shorter one.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let over = self.lease.start + self.limit;
        (!self.limit.is_zero()).then(|| over.saturating_duration_since(Instant::now()))
    }

    /// Reports the progress of the job: any JSON of up to 4 KiB, shown by `GET /v1/jobs/{id}`.
    ///
    /// # Errors
    /// [`JobsError::Invalid`] if it is too long. [`JobsError::NotYours`] if the lease was lost or the job cancelled: the attempt
    /// cannot be settled.
    pub async fn progress(&self, value: &impl Serialize) -> Result<(), JobsError> {
        let value =
            to_raw_value(value).map_err(|error| JobsError::Invalid(vec![Fault::new("progress", error.to_string())]))?;
        let stored = self.jobs.progress(&self.lease.id, self.lease.token, &value).await;
        if matches!(stored, Err(JobsError::NotYours(_) | JobsError::Unknown)) {
            self.lease.lose();
        }
        stored
    }

    /// Returns whether the lease was lost: the job was cancelled or timed out, or another worker has leased it. The future of the handler
    /// is dropped then; this is for work that it started elsewhere, such as on a thread.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lease.is_lost()
    }

    /// Resolves when the lease is lost.
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

/// The lease of a job of this pool.
#[derive(Debug)]
pub(super) struct Lease {
    pub id: JobId,
    pub kind: CompactString,
    pub token: LeaseToken,
    pub attempt: u32,
    pub max_attempts: u32,
    pub created_ms: i64,
    pub run_at_ms: i64,
    /// When the lease call was made, by the monotonic clock of this machine: not later than the lease started.
    pub start: Instant,
    /// When the time limit of the job is over, even if the lease is extended.
    pub ends: Option<Instant>,
    /// When the lease expires, counted from the call, so never later than in Redis.
    // Never locked across an await.
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

    /// Returns the time limit of an attempt from its start, by the job or by the default of its type; zero for none.
    pub fn limit(&self, default: Duration) -> Duration {
        let limit = self.ends.map_or(default, |ends| ends - self.start);
        // The lease expires in Redis when the time is over, so the failure has to be settled before.
        let margin = (limit / 10).min(Duration::from_secs(1));
        limit.saturating_sub(margin)
    }

    /// Records an extension that was requested at `start`.
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

    /// Registers a task to wake when the lease is lost. Returns whether it is lost.
    pub fn watch(&self, task: &TaskContext<'_>) -> bool {
        self.runner.register(task.waker());
        self.is_lost()
    }
}
