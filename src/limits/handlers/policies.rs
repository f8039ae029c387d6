use super::super::docs::{AlgorithmBody, OutageBody};
use super::{LimitError, State};
use crate::http::{Path, Problem, reply};
use crate::ids::ExternalId;
use crate::limits::{Algorithm, Policy};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "api", "algorithm": "gcra", "quota": 600, "window_ms": 60000, "burst": 100, "fail": "open"}))]
pub struct PolicyBody {
    name: String,
    /// `gcra` or `window`.
    #[schema(value_type = AlgorithmBody)]
    algorithm: &'static str,
    /// Units per window.
    quota: u32,
    window_ms: u64,
    /// Maximum units at once; only for `gcra`.
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    /// The result of a check while Redis is unavailable: `open` or `closed`.
    #[schema(value_type = OutageBody)]
    fail: &'static str,
}

/// All policies.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoliciesBody {
    policies: Vec<PolicyBody>,
}

impl From<&Policy> for PolicyBody {
    fn from(policy: &Policy) -> Self {
        Self {
            name: policy.name().to_owned(),
            algorithm: policy.algorithm().as_str(),
            quota: policy.quota(),
            window_ms: policy.window_us() / 1_000,
            burst: (policy.algorithm() == Algorithm::Gcra).then(|| policy.capacity()),
            fail: policy.outage().as_str(),
        }
    }
}

/// List the policies
///
/// The policies are settings of the service and cannot be changed by a call.
#[utoipa::path(get, path = "/v1/limits/policies", operation_id = "list_limit_policies", tag = "limits",
    responses((status = 200, description = "All policies", body = PoliciesBody)))]
pub async fn policies(limits: State) -> Result<HttpResponse, Problem> {
    let policies = limits.policies().iter().map(PolicyBody::from).collect();
    reply::value(StatusCode::OK, &PoliciesBody { policies })
}

/// Reset the count of a key
///
/// For example after a successful login.
#[utoipa::path(
    delete, path = "/v1/limits/{policy}/{key}", operation_id = "reset_limit", tag = "limits",
    params(("policy" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 204, description = "The count is reset, or there was none"),
        (status = 404, description = "No such policy", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn reset(Path((policy, key)): Path<(String, ExternalId)>, limits: State) -> Result<HttpResponse, Problem> {
    match limits.reset(&policy, &key).await {
        Ok(_) => Ok(HttpResponse::NoContent().finish()),
        Err(LimitError::Store(error)) => Err(error.into()),
        Err(error @ (LimitError::UnknownPolicy | LimitError::Cost { .. })) => {
            Err(Problem::not_found(error.to_string()))
        }
    }
}
