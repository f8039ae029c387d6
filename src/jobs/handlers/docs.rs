//! The bodies that clients send, for the `OpenAPI` document.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::schedules::Missed;
use super::words::{BackoffKindBody, EndVerb, JobIdBody, LeaseTokenBody, RetryBody, UniqueModeBody};
use crate::http::TimeBody;
use crate::ids::{ExternalId, Id};
use serde_json::Value;
use utoipa::ToSchema;

/// A job to be put in.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"type": "send-email", "unique_key": "welcome-ada", "unique_mode": "debounce", "max_wait_ms": 60000})), example = json!({"type": "send-email", "payload": {"to": "ada@example.org"}, "priority": 5, "delay_ms": 1000}))]
pub(super) struct NewJobBody {
    /// What it is: 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`. A queue has up to 64 types.
    r#type: Id,
    /// What it is about; any JSON, up to 64 KiB if `JOBS_MAX_PAYLOAD` does not say otherwise.
    payload: Option<Value>,
    /// 0 to 1,000; higher ones first, equal ones first come first served. 0 if not given.
    #[schema(minimum = 0, maximum = 1000, default = 0)]
    priority: Option<u16>,
    /// After how long it is to run first, up to a year.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 0)]
    delay_ms: Option<u64>,
    /// When it is to run first, instead: RFC 3339, or milliseconds since 1970. At once if that is over.
    run_at: Option<TimeBody>,
    /// How often it is tried, 1 to 100; 5 if not given.
    #[schema(minimum = 1, maximum = 100, default = 5)]
    max_attempts: Option<u32>,
    backoff: Option<BackoffBody>,
    /// How long one attempt may take, up to a day: no lease of it lasts longer. No limit if 0 or not given.
    #[schema(minimum = 0, maximum = 86400000, default = 0)]
    timeout_ms: Option<u64>,
    /// A key that no two jobs of the queue have at once; any text of 1 to 256 bytes.
    unique_key: Option<ExternalId>,
    /// What happens if another job has the key: `refuse` (the default) names that instead; `replace` withdraws it if it still
    /// waits; `debounce` lets it become as this one and wait anew, under its own id, if it still waits. One that runs may end, and
    /// is cancelled where it would run again.
    unique_mode: Option<UniqueModeBody>,
    /// For how long from now on the job keeps the key, whether it is done or not; until it is done if not given. A job that is dead or
    /// cancelled keeps no key.
    #[schema(minimum = 1, maximum = 31622400000.0)]
    unique_for_ms: Option<u64>,
    /// With `unique_mode` `debounce`: the longest time for which calls with the key postpone the job, from the first call on; no limit
    /// if not given.
    #[schema(minimum = 1, maximum = 31622400000.0)]
    max_wait_ms: Option<u64>,
    /// For how long it is remembered when it is done; an hour if not given, 0 for not at all.
    #[schema(minimum = 0, maximum = 31622400, default = 3600)]
    keep_result_s: Option<u64>,
}

/// Jobs to be put in.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(value_type = Vec<NewJobBody>, min_items = 1, max_items = 1000)]
pub(super) struct NewJobList(Vec<NewJobBody>);

/// What is put in: one job, or 1 to 1,000 of them.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum NewJobsBody {
    One(Box<NewJobBody>),
    Many(#[schema(inline)] NewJobList),
}

/// How long a job waits after a failure. What is not given is as usual for the type among the service's own jobs; otherwise as said
/// here.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "exponential", "base_ms": 1000, "max_ms": 60000, "jitter": 0.2}))]
pub(super) struct BackoffBody {
    /// `exponential` (the default): each wait is twice as long as the one before; `fixed`.
    kind: Option<BackoffKindBody>,
    /// The first wait; 1,000 if not given.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 1000)]
    base_ms: Option<u64>,
    /// The longest; ten minutes if not given, and never less than a first wait that is.
    #[schema(minimum = 0, maximum = 31622400000.0, default = 600000)]
    max_ms: Option<u64>,
    /// The part of a wait, 0 to 1, of which a random share is left out; 0.2 if not given.
    #[schema(minimum = 0, maximum = 1, default = 0.2)]
    jitter: Option<f64>,
}

/// What a worker asks for.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"count": 10, "lease_ms": 30000, "wait_ms": 20000}))]
pub(super) struct LeaseBody {
    /// At most so many jobs, 1 to 1,000; 1 if not given.
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    count: Option<u32>,
    /// For how long, 100 to 3,600,000 ms; 30,000 if not given.
    #[schema(minimum = 100, maximum = 3600000, default = 30000)]
    lease_ms: Option<u32>,
    /// How long to wait if there are none, up to 60,000 ms; not at all if not given.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    wait_ms: Option<u32>,
    /// Only jobs of these types, up to 64; of all if not given.
    #[schema(max_items = 64)]
    types: Option<Vec<Id>>,
}

/// A job that is done.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "result": {"sent": true}}))]
pub(super) struct CompleteBody {
    /// As it was leased with.
    token: LeaseTokenBody,
    /// What came of it; any JSON, up to 64 KiB if `JOBS_MAX_PAYLOAD` does not say otherwise.
    result: Option<Value>,
    /// It goes on, instead, under the same id.
    then: Option<ThenBody>,
    /// What the worker wants next, in the same step.
    lease_next: Option<LeaseBody>,
}

/// How a job goes on.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delay_ms": 60000}))]
pub(super) struct ThenBody {
    /// After how long, up to a year.
    #[schema(minimum = 0, maximum = 31622400000.0)]
    delay_ms: u64,
    /// Of what type it is then; as it was if not given. Among the service's own jobs it goes with a payload.
    r#type: Option<Id>,
    /// What it is about then; as it was if not given.
    payload: Option<Value>,
}

/// A job that could not be done.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "error": "connection refused"}))]
pub(super) struct FailBody {
    /// As it was leased with.
    token: LeaseTokenBody,
    /// Why; the first 1,000 bytes are remembered.
    error: String,
    /// `true` (the default): as its backoff has it; `false`: it is dead at once; a number: after so many ms.
    retry: Option<RetryBody>,
    /// What the worker wants next, in the same step.
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
    /// Up to 1,000, each of another job.
    #[schema(max_items = 1000)]
    jobs: Vec<EndBody>,
    /// What the worker wants next, in the same step.
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
    /// As it was leased with.
    token: LeaseTokenBody,
    /// `complete`, with `result` or `then`; `fail`, with `error` and `retry`; `release` for one that was not begun: the
    /// attempt does not count.
    end: EndVerb,
    result: Option<Value>,
    then: Option<ThenBody>,
    error: Option<String>,
    retry: Option<RetryBody>,
}

/// For how long a lease is to last.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseExtension, example = json!({"token": "pX3v0sQ8kL2mN7rT", "lease_ms": 30000}))]
pub(super) struct ExtendBody {
    /// As it was leased with.
    token: LeaseTokenBody,
    /// From now on, 100 to 3,600,000 ms.
    #[schema(minimum = 100, maximum = 3600000)]
    lease_ms: u32,
}

/// How far a job is.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pX3v0sQ8kL2mN7rT", "progress": {"percent": 40}}))]
pub(super) struct ProgressBody {
    /// As it was leased with.
    token: LeaseTokenBody,
    /// Any JSON, up to 4 KiB.
    progress: Value,
}

/// How many jobs are to be put back.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"limit": 100}))]
pub(super) struct RedriveBody {
    /// 1 to 1,000; 1,000 if not given.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// A schedule to be set: either `cron` or `every_ms`.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"every_ms": 60000, "job": {"type": "report", "unique_key": "report", "unique_mode": "debounce", "max_wait_ms": 60000}})), example = json!({"cron": "0 8 * * 1-5", "time_zone": "Europe/Berlin", "job": {"type": "report", "payload": {}}}))]
pub(super) struct ScheduleBody {
    /// Five fields (minute, hour, day of month, month, day of week), or six with seconds in front. When the clocks change, fixed times
    /// (no `*` in minutes, hours and seconds) fire once a day, a skipped one right after the gap; others follow the clock on the wall.
    #[schema(max_length = 256, format = "cron")]
    cron: Option<String>,
    /// A name of the IANA database; UTC if not given.
    #[schema(max_length = 64, format = "time-zone", default = "UTC")]
    time_zone: Option<String>,
    /// An interval, a second to a year, counted from when it was set first.
    #[schema(minimum = 1000, maximum = 31622400000.0)]
    every_ms: Option<i64>,
    /// What becomes of a firing that was due while no instance was there: `run_once` (the default) makes up for it, however many
    /// there were, `skip` does not.
    #[schema(default = "run_once")]
    missed: Option<Missed>,
    /// Whether it fires while its last job waits still, ready or delayed; `false` if not given: that firing is left out and counted in
    /// `totals.skipped` of the queue.
    #[schema(default = false)]
    overlap: Option<bool>,
    job: NewJobBody,
}
