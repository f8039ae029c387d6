//! The bodies of the interface, as they are sent and as the `OpenAPI` document shows them.

use super::super::commands::{Event, Events};
use super::super::{
    AddOutcome, Added, Backoff, BackoffKind, Counts, Failure, Job, JobId, LeaseToken, Leased, SettleOutcome,
    Settlement, State, Times,
};
use super::words::{BackoffKindBody, SettleWord};
use crate::clock::whole_ms;
use crate::http::Stamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::ops::Not;
use utoipa::ToSchema;

/// What became of the jobs, in their order.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedAnswer<'a> {
    jobs: Vec<AddedJob<'a>>,
}

/// What became of one.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedJob<'a> {
    /// The job that there is now: another one, if that has the unique key.
    #[schema(value_type = String)]
    id: &'a JobId,
    outcome: AddOutcome,
}

impl<'a> AddedAnswer<'a> {
    pub(super) fn new(added: &'a [Added]) -> Self {
        let jobs = added
            .iter()
            .map(|Added { id, outcome }| AddedJob { id, outcome: *outcome });
        Self { jobs: jobs.collect() }
    }
}

/// Jobs that a worker has for a time.
#[derive(Serialize, ToSchema)]
pub(super) struct LeasedAnswer<'a> {
    jobs: Vec<LeasedJob<'a>>,
}

/// A job that a worker has for a time.
#[derive(Serialize, ToSchema)]
pub(super) struct LeasedJob<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    #[serde(rename = "type")]
    kind: &'a str,
    #[schema(value_type = serde_json::Value)]
    payload: &'a RawValue,
    priority: u16,
    /// Which attempt this is; the first is 1.
    attempt: u32,
    max_attempts: u32,
    /// How long this one may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    /// What to settle it with.
    #[schema(value_type = String)]
    token: LeaseToken,
    /// By Redis's clock: RFC 3339 with milliseconds, UTC.
    #[schema(value_type = String, format = DateTime)]
    lease_expires_at: Stamp,
}

impl<'a> LeasedAnswer<'a> {
    pub(super) fn new(leased: &'a [Leased]) -> Self {
        Self {
            jobs: leased.iter().map(LeasedJob::new).collect(),
        }
    }
}

impl<'a> LeasedJob<'a> {
    fn new(job: &'a Leased) -> Self {
        Self {
            id: &job.id,
            kind: &job.kind,
            payload: &job.payload,
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            timeout_ms: (!job.timeout.is_zero()).then(|| whole_ms(job.timeout)),
            token: job.token,
            lease_expires_at: Stamp(job.lease_expires_at),
        }
    }
}

/// The job after the end of its lease, and what its worker has next.
#[derive(Serialize, ToSchema)]
pub(super) struct EndedAnswer<'a> {
    pub state: State,
    /// The next jobs, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<LeasedJob<'a>>>,
}

impl<'a> EndedAnswer<'a> {
    pub(super) fn new(state: State, next: Option<&'a [Leased]>) -> Self {
        Self {
            state,
            jobs: next.map(|leased| leased.iter().map(LeasedJob::new).collect()),
        }
    }
}

/// What the settlements came to, in their order, and what the worker has next.
#[derive(Serialize, ToSchema)]
pub(super) struct SettledAnswer<'a> {
    outcomes: Vec<SettledJob<'a>>,
    /// The next jobs, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<LeasedJob<'a>>>,
}

/// What one settlement came to.
#[derive(Serialize, ToSchema)]
pub(super) struct SettledJob<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    /// `settled`, now or since before; `not_yours`: the lease is another's or is over; `unknown`: no such job, or none any more.
    #[schema(value_type = SettleWord)]
    outcome: &'static str,
    /// Where the job is.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
}

impl<'a> SettledAnswer<'a> {
    pub(super) fn new(ids: &'a [JobId], outcomes: &[SettleOutcome], next: Option<&'a [Leased]>) -> Self {
        let outcome = |(id, outcome): (&'a JobId, &SettleOutcome)| {
            let (outcome, state) = match outcome {
                SettleOutcome::Settled(state) => ("settled", Some(*state)),
                SettleOutcome::NotYours(state) => ("not_yours", Some(*state)),
                SettleOutcome::Unknown => ("unknown", None),
            };
            SettledJob { id, outcome, state }
        };
        Self {
            outcomes: ids.iter().zip(outcomes).map(outcome).collect(),
            jobs: next.map(|leased| leased.iter().map(LeasedJob::new).collect()),
        }
    }
}

pub(super) fn ids(settlements: &[Settlement]) -> Vec<JobId> {
    settlements.iter().map(|settlement| settlement.id.clone()).collect()
}

/// A lease that was extended.
#[derive(Serialize, ToSchema)]
pub(super) struct ExtendedAnswer {
    /// By Redis's clock: RFC 3339 with milliseconds, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub lease_expires_at: Stamp,
}

/// A job as it is. Times are Redis's, RFC 3339 with milliseconds, UTC.
#[derive(Serialize, ToSchema)]
pub(super) struct JobAnswer<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    queue: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: State,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<&'a RawValue>,
    priority: u16,
    /// How often it was tried, an attempt under way included.
    attempts: u32,
    max_attempts: u32,
    backoff: BackoffAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<&'a str>,
    keep_result_s: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// When it was or is to run first.
    #[schema(value_type = String, format = DateTime)]
    run_at: Stamp,
    /// When it was last leased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    leased_at: Option<Stamp>,
    /// When its lease ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    lease_expires_at: Option<Stamp>,
    /// When it is due, while it is delayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Stamp>,
    /// When it was done, died or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Stamp>,
    /// Until when it is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    kept_until: Option<Stamp>,
    /// What its worker last said of how far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    progress: Option<&'a RawValue>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    result: Option<&'a RawValue>,
    /// Its last five failures, the latest last.
    errors: Vec<FailureAnswer<'a>>,
}

/// How long a job waits after a failure.
#[derive(Serialize, ToSchema)]
pub(super) struct BackoffAnswer {
    /// How waits grow.
    #[schema(value_type = BackoffKindBody)]
    kind: &'static str,
    base_ms: u64,
    max_ms: u64,
    jitter: f64,
}

/// An attempt that failed.
#[derive(Serialize, ToSchema)]
pub(super) struct FailureAnswer<'a> {
    attempt: u32,
    #[schema(value_type = String, format = DateTime)]
    at: Stamp,
    error: &'a str,
}

impl From<Backoff> for BackoffAnswer {
    fn from(backoff: Backoff) -> Self {
        Self {
            kind: match backoff.kind {
                BackoffKind::Fixed => "fixed",
                BackoffKind::Exponential => "exponential",
            },
            base_ms: whole_ms(backoff.base),
            max_ms: whole_ms(backoff.max),
            jitter: backoff.jitter,
        }
    }
}

impl<'a> From<&'a Job> for JobAnswer<'a> {
    fn from(job: &'a Job) -> Self {
        let until = |state| job.until_ms.filter(|_| job.state == state).map(Stamp);
        let failure = |failure: &'a Failure| FailureAnswer {
            attempt: failure.attempt,
            at: Stamp(failure.at_ms),
            error: &failure.error,
        };
        Self {
            id: &job.id,
            queue: job.id.queue(),
            kind: &job.kind,
            state: job.state,
            payload: job.payload.as_deref(),
            priority: job.priority,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            backoff: job.backoff.into(),
            timeout_ms: (!job.timeout.is_zero()).then(|| whole_ms(job.timeout)),
            unique_key: job.unique_key.as_deref(),
            keep_result_s: job.keep_result.as_secs(),
            created_at: Stamp(job.created_ms),
            run_at: Stamp(job.run_at_ms),
            leased_at: job.leased_ms.map(Stamp),
            lease_expires_at: until(State::Leased),
            due_at: until(State::Delayed),
            ended_at: job.ended_ms.map(Stamp),
            kept_until: job.ended_ms.and(job.until_ms).map(Stamp),
            progress: job.progress.as_deref(),
            result: job.result.as_deref(),
            errors: job.failures.iter().map(failure).collect(),
        }
    }
}

/// A page of jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct JobsAnswer<'a> {
    pub jobs: Vec<JobAnswer<'a>>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// Which job it was.
#[derive(Serialize, ToSchema)]
pub(super) struct CancelledAnswer {
    #[schema(value_type = String)]
    pub id: JobId,
}

/// How many jobs it was.
#[derive(Serialize, ToSchema)]
pub(super) struct MovedAnswer {
    /// How many were.
    pub jobs: u64,
    /// How many are left in the state that they were in.
    pub left: u64,
}

/// How a queue is.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueAnswer<'a> {
    queue: &'a str,
    paused: bool,
    counts: CountsAnswer,
    /// For how long the job waits that is ready for longest, of the first sixteen in line of each type and priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_ready_ms: Option<i64>,
    /// Jobs completed in the last whole minute.
    completed_last_minute: u64,
    /// Jobs completed in the last 59 whole minutes.
    completed_last_hour: u64,
    /// From ready to leased, of the last ten to twenty minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<TimesAnswer>,
    /// From leased to completed, of the last ten to twenty minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_ms: Option<TimesAnswer>,
    totals: TotalsAnswer,
}

/// Jobs by state.
#[derive(Serialize, ToSchema)]
pub(super) struct CountsAnswer {
    ready: u64,
    delayed: u64,
    leased: u64,
    done: u64,
    dead: u64,
    cancelled: u64,
}

/// Since the queue was made. `added` and `revived` are as many as are ready, delayed and leased, and were `completed`, `died`,
/// `cancelled` and `replaced`.
#[derive(Serialize, ToSchema)]
pub(super) struct TotalsAnswer {
    added: u64,
    revived: u64,
    completed: u64,
    died: u64,
    cancelled: u64,
    replaced: u64,
    /// Attempts that failed.
    failed: u64,
    /// Leases that ran out.
    lost: u64,
    /// Firings of schedules that were left out because their last jobs waited still.
    skipped: u64,
}

/// What so many of a hundred do not exceed, up to 41 % too much.
#[derive(Serialize, ToSchema)]
pub(super) struct TimesAnswer {
    p50: f64,
    p95: f64,
    p99: f64,
}

impl TimesAnswer {
    fn of(times: &Times) -> Option<Self> {
        Some(Self {
            p50: times.percentile(50)?,
            p95: times.percentile(95)?,
            p99: times.percentile(99)?,
        })
    }
}

impl<'a> QueueAnswer<'a> {
    pub(super) fn new(queue: &'a str, counts: &Counts) -> Self {
        let totals = counts.totals;
        Self {
            queue,
            paused: counts.paused,
            counts: CountsAnswer {
                ready: counts.of(State::Ready),
                delayed: counts.of(State::Delayed),
                leased: counts.of(State::Leased),
                done: counts.of(State::Done),
                dead: counts.of(State::Dead),
                cancelled: counts.of(State::Cancelled),
            },
            oldest_ready_ms: counts.oldest_ready_ms,
            completed_last_minute: counts.completed_per_minute.first().copied().unwrap_or(0),
            completed_last_hour: counts.completed_per_minute.iter().sum(),
            wait_ms: TimesAnswer::of(&counts.wait),
            run_ms: TimesAnswer::of(&counts.run),
            totals: TotalsAnswer {
                added: totals.added,
                revived: totals.revived,
                completed: totals.completed,
                died: totals.died,
                cancelled: totals.cancelled,
                replaced: totals.replaced,
                failed: totals.failed,
                lost: totals.lost,
                skipped: totals.skipped,
            },
        }
    }
}

/// A page of the queues that are in use.
#[derive(Serialize, ToSchema)]
pub(super) struct QueuesAnswer<'a> {
    pub queues: Vec<QueueAnswer<'a>>,
    /// Where to go on; none at the end.
    pub next: Option<&'a str>,
}

/// What happened in a queue.
#[derive(Serialize, ToSchema)]
pub(super) struct EventsAnswer<'a> {
    events: Vec<EventAnswer<'a>>,
    /// `true` where `after` is not kept any more: events between it and these may be missing. Not there otherwise.
    #[serde(skip_serializing_if = "Not::not")]
    #[schema(required = false)]
    gap: bool,
    /// What to ask for as `after` next.
    next: &'a str,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = JobEvent)]
pub(super) struct EventAnswer<'a> {
    id: &'a str,
    /// `added`, `replaced`, `debounced`, `ready`, `leased`, `progress`, `completed`, `failed`, `continued`, `released`, `lost`,
    /// `dead`, `cancelled`, `revived`, `cleared`.
    event: &'a str,
    /// To which jobs.
    #[schema(value_type = Vec<String>)]
    jobs: &'a [JobId],
}

impl<'a> EventAnswer<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        Self {
            id: &event.id,
            event: &event.kind,
            jobs: &event.jobs,
        }
    }
}

impl<'a> EventsAnswer<'a> {
    pub(super) fn new(Events { events, gap }: &'a Events, after: &'a str) -> Self {
        Self {
            next: events.last().map_or(after, |event| &event.id),
            events: events.iter().map(EventAnswer::new).collect(),
            gap: *gap,
        }
    }
}
