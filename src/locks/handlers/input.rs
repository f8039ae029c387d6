//! Request bodies.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::model::{TTL_MS, Token, WAIT_MS, Wanted};
use crate::http::{AppData, Fields, FromBody, Problem};
use crate::ids::ExternalId;
use bytes::Bytes;
use std::time::Duration;
use utoipa::ToSchema;

/// The token of a grant.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 16, max_length = 128, pattern = r"^[A-Za-z0-9._:@-]+$", example = "0f9c2b7a41d84e55a1c3")]
pub(super) struct LockToken(String);

/// A lock to acquire.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ttl_ms": 30000, "wait_ms": 0, "owner": "billing-7"}))]
pub(super) struct AcquireBody {
    /// Duration of the lease, 100 to 3,600,000 ms.
    #[schema(minimum = 100, maximum = 3600000)]
    ttl_ms: u32,
    /// How long to wait if the lock is taken, 0 to 60,000 ms; not at all if not given.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    wait_ms: Option<u32>,
    /// The name of the caller, for others to see: any text of 1 to 256 bytes without control characters.
    owner: Option<ExternalId>,
    /// The token for renewing and releasing, for clients that repeat the call after a lost response: 16 to 128 random characters of
    /// `A-Z a-z 0-9 . _ : @ -`, new ones for each acquisition. If not given, the service generates one.
    token: Option<LockToken>,
}

/// The renewal of a lock.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "0f9c2b7a41d84e55a1c3", "ttl_ms": 30000}))]
pub(super) struct RenewBody {
    /// The token of the grant.
    token: LockToken,
    /// Duration of the lease from now on, 100 to 3,600,000 ms; as granted if not given.
    #[schema(minimum = 100, maximum = 3600000)]
    ttl_ms: Option<u32>,
}

/// The release of a lock.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "0f9c2b7a41d84e55a1c3"}))]
pub(super) struct TokenBody {
    /// The token of the grant.
    token: LockToken,
}

/// The maximum size of a body, bytes.
const MAX_BODY: usize = 4 * 1024;

impl FromBody for Wanted {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let ttl = fields.required("ttl_ms", |fields, name| fields.integer(name, TTL_MS));
        let wait = fields.integer("wait_ms", WAIT_MS);
        let owner = fields.external_id("owner");
        let token = read_token(&mut fields, "token");
        let wanted = ttl.map(|ttl| {
            let wanted = Self::lasting(milliseconds(ttl)).waiting(milliseconds(wait.unwrap_or(0)));
            let wanted = wanted.owned_by(owner);
            match token {
                Some(token) => wanted.under(token),
                None => wanted,
            }
        });
        fields.finish(wanted)
    }
}

/// A lock to renew: its token, and the duration if it is given.
pub struct Renewal {
    pub(super) token: Token,
    pub(super) ttl: Option<Duration>,
}

impl FromBody for Renewal {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let token = fields.required("token", read_token);
        let ttl = fields.integer("ttl_ms", TTL_MS).map(milliseconds);
        fields.finish(token.map(|token| Self { token, ttl }))
    }
}

/// A lock to release: its token.
pub struct Release {
    pub(super) token: Token,
}

impl FromBody for Release {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let token = fields.required("token", read_token);
        fields.finish(token.map(|token| Self { token }))
    }
}

fn read_token(fields: &mut Fields<'_>, name: &'static str) -> Option<Token> {
    let text = fields.text(name, usize::MAX)?;
    Token::parse(&text)
        .map_err(|error| fields.refuse(name, error.to_string()))
        .ok()
}

/// Converts milliseconds from a range without negative numbers.
fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}
