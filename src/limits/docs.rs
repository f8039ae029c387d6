//! The shapes of bodies, for `OpenAPI` alone: the handlers read and write them without these types.

#![expect(dead_code, reason = "read by the schema derive only")]

use utoipa::ToSchema;

/// What is to be checked.
#[derive(ToSchema)]
#[schema(example = json!({"key": "login:anna", "policy": "login", "cost": 1}))]
pub(super) struct CheckBody {
    /// What is limited: 1 to 256 bytes of any text without control characters.
    key: String,
    /// By which policy.
    policy: String,
    /// How many units it takes, 1 to what the policy admits at once; 1 if not given.
    cost: Option<u32>,
}
