//! Response bodies, and the schemas of request bodies for `OpenAPI`.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::model::{Listed, Session};
use super::super::token::Token;
use crate::http::Stamp;
use crate::ids::ExternalId;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A session. Times are RFC 3339 by Redis's clock.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody<'a> {
    /// The token that opens it; only in the responses to its creation and its rotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    /// The public id of the session.
    id: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    device: Option<&'a RawValue>,
    #[schema(value_type = Object)]
    data: &'a RawValue,
    /// The version of `data`: counts its changes, from 1.
    version: u64,
    /// Its idle time to live: the time without use after which it ends.
    idle_ttl_s: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// Its last recorded use: up to a minute, or a tenth of the idle time to live, before the actual last use.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Stamp,
    /// When it ends if it is not used again.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    /// When it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    absolute_expires_at: Stamp,
}

impl<'a> SessionBody<'a> {
    pub(super) fn new(session: &'a Session, token: Option<&'a Token>) -> Self {
        let Session { about, times, .. } = session;
        Self {
            token: token.map(Token::reveal),
            id: session.id.as_str(),
            subject: &session.subject,
            role: about.role.as_deref(),
            scopes: &about.scopes,
            device: about.device.as_deref(),
            data: session.data.raw(),
            version: session.version,
            idle_ttl_s: times.idle_ttl_ms / 1000,
            created_at: Stamp(times.created_ms),
            last_seen_at: Stamp(times.seen_ms),
            expires_at: Stamp(times.ends_ms),
            absolute_expires_at: Stamp(times.absolute_ms),
        }
    }
}

/// A subject's sessions, the oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(super) struct SessionsBody<'a> {
    sessions: Vec<ListedBody<'a>>,
}

/// A session as it is listed: neither its token nor its data.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
struct ListedBody<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    device: Option<&'a RawValue>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    absolute_expires_at: Stamp,
}

impl<'a> SessionsBody<'a> {
    pub(super) fn new(listed: &'a [Listed]) -> Self {
        let sessions = listed.iter().map(|Listed { id, about, times }| ListedBody {
            id: id.as_str(),
            role: about.role.as_deref(),
            scopes: &about.scopes,
            device: about.device.as_deref(),
            created_at: Stamp(times.created_ms),
            last_seen_at: Stamp(times.seen_ms),
            expires_at: Stamp(times.ends_ms),
            absolute_expires_at: Stamp(times.absolute_ms),
        });
        Self {
            sessions: sessions.collect(),
        }
    }
}

/// The number of sessions that were ended.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedSessions)]
pub(super) struct EndedBody {
    pub(super) ended: u64,
}

/// A scope: what a session may be used for, 1 to 128 bytes.
#[derive(ToSchema)]
#[schema(as = Scope, value_type = String, min_length = 1, max_length = 128, example = "rides:book")]
#[expect(dead_code, reason = "read by the schema derive only")]
struct ScopeBody(String);

/// A session to create.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession, example = json!({"subject": "user-123", "role": "rider", "scopes": ["rides:book"], "device": {"name": "Anna's phone"}, "data": {"locale": "de"}, "idle_ttl_s": 3600, "absolute_ttl_s": 86400}))]
#[expect(dead_code, reason = "read by the schema derive only")]
pub(super) struct NewSessionBody {
    /// The owner of the session: 1 to 256 bytes of any text without control characters.
    subject: ExternalId,
    /// At most 64 bytes.
    #[schema(max_length = 64)]
    role: Option<String>,
    /// At most 64, of 1 to 128 bytes each.
    #[schema(max_items = 64)]
    scopes: Option<Vec<ScopeBody>>,
    /// At most 2 KiB as JSON, nested at most 32 deep.
    #[schema(value_type = Option<Object>)]
    device: Option<()>,
    /// At most 16 KiB as JSON without spaces, nested at most 32 deep. Everything except spaces is kept exactly as sent, including all digits
    /// of numbers.
    #[schema(value_type = Option<Object>)]
    data: Option<()>,
    /// Seconds without use after which it ends; at most `SESSION_MAX_TTL_S`, and `SESSION_IDLE_TTL_S` if not given.
    #[schema(minimum = 1, maximum = 31536000)]
    idle_ttl_s: Option<u32>,
    /// Seconds after which it ends in any case; at most `SESSION_MAX_TTL_S`, and `SESSION_ABSOLUTE_TTL_S` if not given.
    #[schema(minimum = 1, maximum = 31536000)]
    absolute_ttl_s: Option<u32>,
}

/// A change of data.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionDataPatch, example = json!({"version": 1, "data": {"cart": {"sku": "scooter-1"}, "locale": null}}))]
#[expect(dead_code, reason = "read by the schema derive only")]
pub(super) struct DataPatchBody {
    /// The version of the data that was read.
    #[schema(minimum = 1, maximum = 9007199254740991.0)]
    version: u64,
    /// JSON merge patch (RFC 7396): `null` removes a member, and members that are not named stay.
    #[schema(value_type = Object)]
    data: (),
}

/// An extension.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionExtension, example = json!({"seconds": 3600}))]
#[expect(dead_code, reason = "read by the schema derive only")]
pub(super) struct ExtensionBody {
    /// Seconds to add to both ends; at most `SESSION_MAX_TTL_S`.
    #[schema(minimum = 1, maximum = 31536000)]
    seconds: u32,
}
