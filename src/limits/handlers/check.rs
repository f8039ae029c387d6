use super::super::docs::CheckBody;
use super::super::model::Decision;
use super::{LimitError, State};
use crate::http::{AppData, Body, FieldError, Fields, FromBody, Problem, reply};
use crate::ids::ExternalId;
use crate::limits::MAX_QUOTA;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Longer than any policy's name.
const MAX_NAME: usize = 128;

/// A check of a limit.
pub struct Check {
    key: ExternalId,
    policy: String,
    cost: u32,
}

impl FromBody for Check {
    const MAX_BYTES: usize = 4 * 1024;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let key = fields.required("key", Fields::external_id);
        let policy = fields.required("policy", |fields, name| fields.text(name, MAX_NAME));
        let cost = fields.integer("cost", 1..=i64::from(MAX_QUOTA)).unwrap_or(1);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        fields.finish(key.zip(policy).map(|(key, policy)| Self { key, policy, cost }))
    }
}

/// The result of a check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"allowed": true, "limit": 5, "remaining": 4, "retry_after_ms": 0, "reset_ms": 62000}))]
pub struct DecisionBody {
    /// Whether it is allowed; then it is counted.
    allowed: bool,
    /// The maximum number of units that the policy admits at once.
    limit: u32,
    /// The remaining units.
    remaining: u32,
    /// After how many milliseconds the same cost would be allowed without other requests; 0 if it was.
    retry_after_ms: u64,
    /// After how many milliseconds all units are back.
    reset_ms: u64,
    /// Present and true if Redis did not answer: the policy's `fail` decided, and nothing was counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    degraded: bool,
}

impl From<Decision> for DecisionBody {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.allowed,
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: millis(decision.retry_after),
            reset_ms: millis(decision.reset),
            degraded: decision.degraded,
        }
    }
}

/// Returns whole milliseconds, rounded up, so that a caller that waits this long does not try too early.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Check a limit and count the request
///
/// The status is 200 whether the request is allowed or not. All instances share one count, by Redis's clock; a refused request changes
/// nothing. If Redis is unavailable, or nearly full and the key has no count yet, the policy's `fail` decides, and the response has
/// `"degraded": true`.
#[utoipa::path(
    post, path = "/v1/limits/check", operation_id = "check_limit", tag = "limits", request_body = CheckBody,
    responses(
        (status = 200, description = "Whether the request is allowed", body = DecisionBody),
        (status = 422, description = "Validation failed, there is no such policy, or the policy never admits the cost", body = Problem),
    )
)]
pub async fn check(limits: State, Body(Check { key, policy, cost }): Body<Check>) -> Result<HttpResponse, Problem> {
    let decision = limits.check(&policy, &key, cost).await.map_err(|error| match error {
        LimitError::UnknownPolicy => refused("policy", &error),
        LimitError::Cost { .. } => refused("cost", &error),
        LimitError::Store(error) => error.into(),
    })?;
    reply::value(StatusCode::OK, &DecisionBody::from(decision))
}

fn refused(member: &str, error: &LimitError) -> Problem {
    Problem::validation_failed(vec![FieldError::new(member, error.to_string())])
}
