//! The bodies of answers, as they are sent and as the `OpenAPI` document shows them.

use super::super::commands::{Event, Events};
use super::super::{
    AddOutcome, Added, Backoff, BackoffKind, Counts, Failure, Job, JobId, LeaseToken, Leased, SettleOutcome,
    Settlement, State, Times,
};
use super::enums::{BackoffKindBody, SettleOutcomeBody};
use crate::clock::whole_ms;
use crate::http::Stamp;
use serde::Serialize;
use serde_json::value::RawValue;
use std::ops::Not;
use utoipa::ToSchema;

/// The outcomes of adding jobs, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedAnswer<'a> {
    jobs: Vec<AddedJob<'a>>,
}

/// The outcome of adding a job.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedJob<'a> {
    /// The job; the existing one if another job has the unique key.
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

/// Leased jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct LeasedAnswer<'a> {
    jobs: Vec<LeasedJob<'a>>,
}

/// A leased job.
#[derive(Serialize, ToSchema)]
pub(super) struct LeasedJob<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    #[serde(rename = "type")]
    kind: &'a str,
    #[schema(value_type = serde_json::Value)]
    payload: &'a RawValue,
    priority: u16,
    /// The number of the attempt; the first is 1.
    attempt: u32,
    max_attempts: u32,
    /// The time limit of the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    /// The token to settle the lease with.
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

/// The state of a job after the end of its lease, and the next jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct EndedAnswer<'a> {
    pub state: State,
    /// The next jobs, if the call requested them.
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

/// The outcomes of settlements, in the order of the request, and the next jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct SettledAnswer<'a> {
    outcomes: Vec<SettledJob<'a>>,
    /// The next jobs, if the call requested them.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<LeasedJob<'a>>>,
}

/// The outcome of a settlement.
#[derive(Serialize, ToSchema)]
pub(super) struct SettledJob<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    /// `settled`, by this call or an earlier one; `not_yours`: the lease has expired or belongs to another worker; `unknown`: the job does
    /// not exist, or is deleted.
    #[schema(value_type = SettleOutcomeBody)]
    outcome: &'static str,
    /// The state of the job.
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

/// A job. Times are Redis's, RFC 3339 with milliseconds, UTC.
#[derive(Serialize, ToSchema)]
pub(super) struct JobAnswer<'a> {
    #[schema(value_type = String)]
    id: &'a JobId,
    queue: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: State,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<&'a RawValue>,
    priority: u16,
    /// The number of attempts, including one in progress.
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
    /// When the job is first due.
    #[schema(value_type = String, format = DateTime)]
    run_at: Stamp,
    /// When the job was last leased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    leased_at: Option<Stamp>,
    /// When the lease expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    lease_expires_at: Option<Stamp>,
    /// When the job is due, while it is delayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Stamp>,
    /// When the job was completed, died or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Stamp>,
    /// When the job will be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    kept_until: Option<Stamp>,
    /// The last progress that its worker reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    progress: Option<&'a RawValue>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    result: Option<&'a RawValue>,
    /// The last five failures, the latest last.
    errors: Vec<FailureAnswer<'a>>,
}

/// The backoff of a job after a failure.
#[derive(Serialize, ToSchema)]
pub(super) struct BackoffAnswer {
    /// How the delays grow.
    #[schema(value_type = BackoffKindBody)]
    kind: &'static str,
    base_ms: u64,
    max_ms: u64,
    jitter: f64,
}

/// A failed attempt.
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
    /// The `cursor` of the next page; `null` on the last.
    pub next: Option<String>,
}

/// The cancelled job.
#[derive(Serialize, ToSchema)]
pub(super) struct CancelledAnswer {
    #[schema(value_type = String)]
    pub id: JobId,
}

/// The number of jobs that a call changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedAnswer {
    /// The number of jobs that were changed.
    pub jobs: u64,
    /// The number of jobs that are left in the state.
    pub left: u64,
}

/// The statistics of a queue.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueAnswer<'a> {
    queue: &'a str,
    paused: bool,
    counts: CountsAnswer,
    /// The waiting time of the ready job that has waited longest, of the first sixteen in line of each type and priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_ready_ms: Option<i64>,
    /// Jobs completed in the last whole minute.
    completed_last_minute: u64,
    /// Jobs completed in the last 59 whole minutes.
    completed_last_hour: u64,
    /// The time from ready to leased, in the last ten to twenty minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<TimesAnswer>,
    /// The time from leased to completed, in the last ten to twenty minutes.
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

/// Counters since the queue was created. `added + revived` is the number of jobs that are ready, delayed or leased, plus `completed`, `died`,
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
    /// Leases that expired.
    lost: u64,
    /// Firings of schedules that were skipped because their last jobs were still waiting.
    skipped: u64,
}

/// Percentiles, up to 41 % too high.
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
    /// The `cursor` of the next page; `null` on the last.
    pub next: Option<&'a str>,
}

/// Events of a queue.
#[derive(Serialize, ToSchema)]
pub(super) struct EventsAnswer<'a> {
    events: Vec<EventAnswer<'a>>,
    /// `true` if `after` is no longer kept: events between it and these may be missing. Absent otherwise.
    #[serde(skip_serializing_if = "Not::not")]
    #[schema(required = false)]
    gap: bool,
    /// The `after` of the next page.
    next: &'a str,
}

/// An event.
#[derive(Serialize, ToSchema)]
#[schema(as = JobEvent)]
pub(super) struct EventAnswer<'a> {
    id: &'a str,
    /// `added`, `replaced`, `debounced`, `ready`, `leased`, `progress`, `completed`, `failed`, `continued`, `released`, `lost`,
    /// `dead`, `cancelled`, `revived`, `cleared`.
    event: &'a str,
    /// The jobs that it happened to.
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
