//! The schemas of bodies, only for `OpenAPI`: the handlers read and write them without these types.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]
#![expect(dead_code, reason = "read by the schema derive only")]

use crate::ids::ExternalId;
use utoipa::ToSchema;

/// How a policy counts: `gcra`, an even rate with a burst; `window`, a maximum in any window of time.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Algorithm)]
pub(super) enum AlgorithmBody {
    Gcra,
    Window,
}

/// The result of a check while Redis is unavailable: `open`, allowed; `closed`, not allowed.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outage)]
pub(super) enum OutageBody {
    Open,
    Closed,
}

/// A check of a limit.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "login:anna", "policy": "login", "cost": 1}))]
pub(super) struct CheckBody {
    /// The key that is limited: 1 to 256 bytes of any text without control characters.
    key: ExternalId,
    /// The name of the policy.
    #[schema(max_length = 128, format = "policy")]
    policy: String,
    /// The number of units, 1 to the maximum that the policy admits at once; 1 if not given.
    #[schema(minimum = 1, maximum = 1000000, default = 1)]
    cost: Option<u32>,
}
