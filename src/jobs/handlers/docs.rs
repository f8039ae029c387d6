//! The bodies that clients send, for the `OpenAPI` document.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::schedules::Missed;
use super::enums::{BackoffKindBody, EndVerb, JobIdBody, LeaseTokenBody, RetryBody, UniqueModeBody};
use crate::http::TimeBody;
use crate::ids::{ExternalId, Id};
use serde_json::Value;
use utoipa::ToSchema;

/// A job to add.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"type": "send-email", "unique_key": "welcome-ada", "unique_mode": "debounce", "max_wait_ms": 60000})), example = json!({"type": "send-email", "payload": {"to": "ada@example.org"}, "priority": 5, "delay_ms": 1000}))]
pub(super) struct NewJobBody {
    /// The type of the job: 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`. A queue has up to 64 types.
    r#type: Id,
    /// Any JSON, up to `JOBS_MAX_PAYLOAD` bytes (64 KiB by default).
    payload: Option<Value>,
    /// 0 to 1,000; higher priorities run first, equal ones in the order of adding.
    #[schema(minimum = 0, maximum = 1000, default = 0)]
    priority: Option<u16>,
    /// The delay before the job is due, up to a year.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 0)]
    delay_ms: Option<u64>,
    /// When the job is due, instead of `delay_ms`: RFC 3339, or Unix milliseconds. A past time means now.
    run_at: Option<TimeBody>,
    /// Maximum number of attempts, 1 to 100.
    #[schema(minimum = 1, maximum = 100, default = 5)]
    max_attempts: Option<u32>,
    backoff: Option<BackoffBody>,
    /// The time limit of an attempt, up to a day: no lease lasts longer. 0 for no limit.
    #[schema(minimum = 0, maximum = 86400000, default = 0)]
    timeout_ms: Option<u64>,
    /// A key that at most one job of the queue has at a time; any text of 1 to 256 bytes.
    unique_key: Option<ExternalId>,
    /// What happens if another job has the key. `refuse` (the default): the answer names that job. `replace`: that job is deleted if it
    /// still waits. `debounce`: that job is updated to this one and waits again, under its own id, if it still waits. With the latter two, a
    /// job that is leased may end, and is cancelled if it would run again.
    unique_mode: Option<UniqueModeBody>,
    /// How long the job keeps the key from now on, even if it is done; by default until it is done. A dead or cancelled job keeps no key.
    #[schema(minimum = 1, maximum = 31622400000.0)]
    unique_for_ms: Option<u64>,
    /// With `unique_mode` `debounce`: the maximum time for which calls with the key postpone the job, from the first call on. No limit by
    /// default.
    #[schema(minimum = 1, maximum = 31622400000.0)]
    max_wait_ms: Option<u64>,
    /// The retention of the job after it is done; 0 deletes it at once.
    #[schema(minimum = 0, maximum = 31622400, default = 3600)]
    keep_result_s: Option<u64>,
}

/// Jobs to add.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(value_type = Vec<NewJobBody>, min_items = 1, max_items = 1000)]
pub(super) struct NewJobList(Vec<NewJobBody>);

/// One job, or an array of 1 to 1,000 jobs.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum NewJobsBody {
    One(Box<NewJobBody>),
    Many(#[schema(inline)] NewJobList),
}

/// The backoff of a job after a failure. Members that are absent have the defaults of the job's type in the service's own queue; in
/// other queues, the defaults below.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "exponential", "base_ms": 1000, "max_ms": 60000, "jitter": 0.2}))]
pub(super) struct BackoffBody {
    /// `exponential` (the default): each delay is twice the previous one; `fixed`: all delays are equal.
    kind: Option<BackoffKindBody>,
    /// The first delay.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 1000)]
    base_ms: Option<u64>,
    /// The maximum delay; at least `base_ms`.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 600000)]
    max_ms: Option<u64>,
    /// The part of a delay, 0 to 1, of which a random share is subtracted.
    #[schema(minimum = 0, maximum = 1, default = 0.2)]
    jitter: Option<f64>,
}

/// A request for jobs.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"count": 10, "lease_ms": 30000, "wait_ms": 20000}))]
pub(super) struct LeaseBody {
    /// Maximum number of jobs, 1 to 1,000.
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    count: Option<u32>,
    /// The duration of the leases, 100 to 3,600,000 ms.
    #[schema(minimum = 100, maximum = 3600000, default = 30000)]
    lease_ms: Option<u32>,
    /// Maximum time to wait for a job if there is none, up to 60,000 ms.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    wait_ms: Option<u32>,
    /// The types of jobs to lease, up to 64; all types by default.
    #[schema(max_items = 64)]
    types: Option<Vec<Id>>,
}

/// A completion.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "result": {"sent": true}}))]
pub(super) struct CompleteBody {
    /// The token of the lease.
    token: LeaseTokenBody,
    /// Any JSON, up to `JOBS_MAX_PAYLOAD` bytes (64 KiB by default).
    result: Option<Value>,
    /// Continues the job under the same id, instead of completing it.
    then: Option<ThenBody>,
    /// Leases the next jobs in the same step.
    lease_next: Option<LeaseBody>,
}

/// How a job continues.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delay_ms": 60000}))]
pub(super) struct ThenBody {
    /// The delay, up to a year.
    #[schema(minimum = 0, maximum = 31622400000.0)]
    delay_ms: u64,
    /// The new type; unchanged by default. In the service's own queue, required with a payload.
    r#type: Option<Id>,
    /// The new payload; unchanged by default.
    payload: Option<Value>,
}

/// A failure.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "error": "connection refused"}))]
pub(super) struct FailBody {
    /// The token of the lease.
    token: LeaseTokenBody,
    /// The reason; the first 1,000 bytes are kept.
    error: String,
    /// `true` (the default): the job is retried after its backoff; `false`: it is dead; a number: it is retried after that many ms.
    retry: Option<RetryBody>,
    /// Leases the next jobs in the same step.
    lease_next: Option<LeaseBody>,
}

/// The ends of many leases.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    example = json!({"jobs": [{"id": "emails.pX3v0sQ8kL2mN", "token": "pX3v0sQ8kL2mN7rT", "end": "complete"}]}),
    examples(json!({"jobs": [{"id": "emails.pX3v0sQ8kL2mN", "token": "pX3v0sQ8kL2mN7rT", "end": "fail", "error": "refused", "retry": true}]})),
)]
pub(super) struct SettleBody {
    /// Up to 1,000 ends, each of a different job.
    #[schema(max_items = 1000)]
    jobs: Vec<EndBody>,
    /// Leases the next jobs in the same step.
    lease_next: Option<LeaseBody>,
}

/// The end of one lease.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    example = json!({"id": "emails.pX3v0sQ8kL2mN", "token": "pX3v0sQ8kL2mN7rT", "end": "complete"}),
    examples(json!({"id": "emails.pX3v0sQ8kL2mN", "token": "pX3v0sQ8kL2mN7rT", "end": "fail", "error": "connection refused"})),
)]
pub(super) struct EndBody {
    id: JobIdBody,
    /// The token of the lease.
    token: LeaseTokenBody,
    /// `complete`, with `result` or `then`; `fail`, with `error` and `retry`; `release` for a job that was not started: the attempt does
    /// not count.
    end: EndVerb,
    result: Option<Value>,
    then: Option<ThenBody>,
    error: Option<String>,
    retry: Option<RetryBody>,
}

/// An extension of a lease.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseExtension, example = json!({"token": "pX3v0sQ8kL2mN7rT", "lease_ms": 30000}))]
pub(super) struct ExtendBody {
    /// The token of the lease.
    token: LeaseTokenBody,
    /// The duration from now on, 100 to 3,600,000 ms.
    #[schema(minimum = 100, maximum = 3600000)]
    lease_ms: u32,
}

/// The progress of a job.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "progress": {"percent": 40}}))]
pub(super) struct ProgressBody {
    /// The token of the lease.
    token: LeaseTokenBody,
    /// Any JSON, up to 4 KiB.
    progress: Value,
}

/// A limit for moving dead jobs back to their queue.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"limit": 100}))]
pub(super) struct RedriveBody {
    /// Maximum number of jobs, 1 to 1,000.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// A schedule to set, with either `cron` or `every_ms`.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"every_ms": 60000, "job": {"type": "report", "unique_key": "report", "unique_mode": "debounce", "max_wait_ms": 60000}})), example = json!({"cron": "0 8 * * 1-5", "time_zone": "Europe/Berlin", "job": {"type": "report", "payload": {}}}))]
pub(super) struct ScheduleBody {
    /// Five fields (minute, hour, day of month, month, day of week), or six with seconds first. At a daylight-saving change, fixed times
    /// (no `*` in minutes, hours and seconds) fire once a day, a skipped one right after the gap; others follow local time.
    #[schema(max_length = 256, format = "cron")]
    cron: Option<String>,
    /// A time zone of the IANA database.
    #[schema(max_length = 64, format = "time-zone", default = "UTC")]
    time_zone: Option<String>,
    /// An interval, a second to a year, counted from when the schedule was first set.
    #[schema(minimum = 1000, maximum = 31622400000.0)]
    every_ms: Option<i64>,
    /// What happens to firings that were due while no instance ran: `run_once` (the default) fires once for all of them, `skip` does not
    /// fire.
    #[schema(default = "run_once")]
    missed: Option<Missed>,
    /// Whether the schedule fires while its last job is still ready or delayed. If `false`, such a firing is skipped and counted in
    /// `totals.skipped` of the queue.
    #[schema(default = false)]
    overlap: Option<bool>,
    job: NewJobBody,
}
