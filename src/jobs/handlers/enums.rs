//! The names, tokens and enums in bodies, for the `OpenAPI` document.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use utoipa::ToSchema;

/// The name of a queue. It is shorter than other ids, because the ids of the jobs start with it.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(as = QueueName, value_type = String, min_length = 1, max_length = 114, pattern = r"^(?!\.{1,2}$)[A-Za-z0-9._:@-]+$", example = "emails")]
pub struct QueueNameBody(String);

/// The id of a job: `QUEUE.SHORT`.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(as = JobId, value_type = String, max_length = 128, pattern = r"^(?!\.{1,2}\.[A-Za-z0-9_-]{13}$)[A-Za-z0-9._:@-]+\.[A-Za-z0-9_-]{13}$", example = "emails.pX3v0sQ8kL2mN")]
pub struct JobIdBody(String);

/// The token of a lease.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(as = LeaseToken, value_type = String, pattern = r"^(?!-{16}$)[A-Za-z0-9_-]{16}$", example = "pX3v0sQ8kL2mN7rT")]
pub(super) struct LeaseTokenBody(String);

/// What happens if another job has the unique key.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UniqueMode, default = "refuse")]
pub(super) enum UniqueModeBody {
    Refuse,
    Replace,
    Debounce,
}

/// How the delays of a backoff grow.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackoffKind, default = "exponential")]
pub(super) enum BackoffKindBody {
    Fixed,
    Exponential,
}

/// The outcome of a settlement.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettleOutcome)]
pub(super) enum SettleOutcomeBody {
    Settled,
    NotYours,
    Unknown,
}

/// How a lease ends.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndVerb {
    Complete,
    Fail,
    Release,
}

/// Milliseconds up to 366 days.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(value_type = u64, minimum = 0, maximum = 31622400000.0)]
pub(super) struct RetryDelay(u64);

/// Whether and when a failed job is retried: `true`, after its backoff; `false`, it is dead; a number, after that many milliseconds.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum RetryBody {
    Policy(bool),
    After(#[schema(inline)] RetryDelay),
}
