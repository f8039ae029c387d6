//! Parses members of bodies into the model.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::Put;
use super::super::portable_ticket::PortableTicket;
use super::super::settings::MAX_TAGS;
use crate::cache::{CacheSettings, MAX_KEY, MAX_TTL, TtlClass};
use crate::http::Fields;
use crate::ids::Id;
use serde_json::Value;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;
use std::time::Duration;
use utoipa::ToSchema;

const MAX_TTL_S: i64 = MAX_TTL.as_secs().cast_signed();
/// A ticket with 32 tags of 128 characters has about 5,900.
const MAX_TICKET: usize = 8_192;
/// The settings of an instance limit how long it keeps an entry in memory; they cannot be larger than this.
const LOCAL_MS: RangeInclusive<i64> = 0..=60_000;

/// The key of an entry: 1 to 256 bytes of UTF-8.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(as = CacheKey, value_type = String, min_length = 1, max_length = 256, example = "product/7")]
pub struct KeyBody(String);

/// A namespace. `responses` is reserved for cached responses, and can only be invalidated.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(
    as = CacheNamespace, value_type = String, min_length = 1, max_length = 128, example = "prices",
    pattern = r"^(?!(\.|\.\.|stats|events|tags|counters|tickets)$)[A-Za-z0-9._:@-]+$"
)]
pub struct NamespaceBody(String);

/// A TTL class. The TTL of each is a setting of the service.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TtlClass)]
pub(super) enum TtlClassBody {
    Default,
    Static,
    Dynamic,
    Session,
    Realtime,
}

/// A value and how it is stored.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[schema(as = CachePut, example = json!({"value": {"cents": 1999}, "ttl_s": 300, "tags": ["product:7"], "stale_s": 30}))]
pub(super) struct PutBody {
    /// The value: any JSON, including `null`. It is stored byte by byte.
    value: Value,
    /// The TTL in seconds, during which the entry is fresh: 1 to 2,678,400 (31 days). Alternatives are `ttl_ms` and `ttl_class`; the default
    /// is the class `default`.
    #[schema(minimum = 1, maximum = 2678400)]
    ttl_s: Option<u32>,
    /// The TTL in milliseconds, 1 to 2,678,400,000.
    #[schema(minimum = 1, maximum = 2678400000.0)]
    ttl_ms: Option<u64>,
    /// `static`, `dynamic`, `session`, `realtime` or `default`: a TTL of the service's settings.
    ttl_class: Option<TtlClassBody>,
    /// For how many seconds after the TTL the entry is served with `"state":"stale"`; 0 by default.
    #[schema(minimum = 0, maximum = 2678400, default = 0)]
    stale_s: Option<u32>,
    /// For how many seconds after the TTL callers may serve it if computing it again fails; 0 by default.
    #[schema(minimum = 0, maximum = 2678400, default = 0)]
    stale_if_error_s: Option<u32>,
    /// Its tags: at most 32 ids.
    #[schema(max_items = 32)]
    tags: Option<Vec<Id>>,
    /// For how many milliseconds an instance may answer from its own memory, within its settings; 0 by default. That memory receives
    /// invalidations by message, a moment after another instance has acknowledged them.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    local_ms: Option<u32>,
    /// A ticket that was taken before the value was computed. Not allowed in a batch.
    #[schema(max_length = 8192, format = "ticket")]
    ticket: Option<String>,
}

/// A new TTL of an entry.
#[expect(dead_code, reason = "read by the schema derive only")]
#[expect(clippy::struct_field_names, reason = "the words of the interface")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, example = json!({"ttl_s": 300}))]
pub(super) struct TouchBody {
    /// The TTL in seconds from now on, 1 to 2,678,400. Alternatives are `ttl_ms` and `ttl_class`.
    #[schema(minimum = 1, maximum = 2678400)]
    ttl_s: Option<u32>,
    /// For how many milliseconds it is fresh, 1 to 2,678,400,000.
    #[schema(minimum = 1, maximum = 2678400000.0)]
    ttl_ms: Option<u64>,
    /// `static`, `dynamic`, `session`, `realtime` or `default`.
    ttl_class: Option<TtlClassBody>,
}

/// Reads how a value is stored. Faults are recorded in `fields`.
pub(super) fn put(fields: &mut Fields<'_>, settings: &CacheSettings) -> Put {
    let ttl = ttl(fields, settings);
    let mut seconds = |name| {
        fields
            .integer(name, 0..=MAX_TTL_S)
            .map_or(Duration::ZERO, whole_seconds)
    };
    let (stale, if_error) = (seconds("stale_s"), seconds("stale_if_error_s"));
    let local = fields
        .integer("local_ms", LOCAL_MS)
        .map_or(Duration::ZERO, milliseconds);
    let tags = fields.ids("tags", MAX_TAGS).unwrap_or_default();
    let ttl = ttl.unwrap_or_else(|| settings.ttl(TtlClass::Default));
    Put::fresh_for(ttl)
        .tagged(tags)
        .stale_for(stale, if_error)
        .kept_locally(local)
}

/// Reads the ticket that a value was computed under.
pub(super) fn ticket(fields: &mut Fields<'_>) -> Option<PortableTicket> {
    let text = fields.text("ticket", MAX_TICKET)?;
    let ticket = PortableTicket::parse(&text);
    if ticket.is_none() {
        fields.refuse("ticket", "is not a ticket of this service; take a new one");
    }
    ticket
}

/// Reads a TTL; `None` if there is none.
pub(super) fn ttl(fields: &mut Fields<'_>, settings: &CacheSettings) -> Option<Duration> {
    let seconds = fields.integer("ttl_s", 1..=MAX_TTL_S).map(whole_seconds);
    let millis = fields.integer("ttl_ms", 1..=MAX_TTL_S * 1_000).map(milliseconds);
    let class = fields.text("ttl_class", usize::MAX).and_then(|name| {
        let class = TtlClass::parse(&name);
        if class.is_none() {
            fields.refuse("ttl_class", "must be static, dynamic, session, realtime or default");
        }
        class.map(|class| settings.ttl(class))
    });
    let given: Vec<_> = [seconds, millis, class].into_iter().flatten().collect();
    if given.len() > 1 {
        fields.refuse("ttl_s", "give one of ttl_s, ttl_ms, ttl_class");
    }
    given.first().copied()
}

/// A value of a batch, its key, and how it is stored.
pub(super) type Write<'a> = (Put, String, &'a RawValue);

/// Reads an array of values with their keys.
pub(super) fn writes<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    most: usize,
    settings: &CacheSettings,
) -> Option<Vec<Write<'a>>> {
    fields.each(name, 0..=most, |fields| {
        let value = fields.required_value("value");
        let key = fields.required("key", key);
        let put = put(fields, settings);
        if fields.take("ticket").is_some() {
            fields.refuse("ticket", "is allowed only in a PUT of a single value");
        }
        Some((put, key?, value?))
    })
}

/// Reads a key.
pub(super) fn key(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let key = fields.text(name, MAX_KEY)?;
    if key.is_empty() {
        fields.refuse(name, "must not be empty");
        return None;
    }
    Some(key)
}

/// Reads an array of keys.
pub(super) fn keys(fields: &mut Fields<'_>, name: &'static str, most: usize) -> Vec<String> {
    fields.texts(name, most, 1..=MAX_KEY).unwrap_or_default()
}

/// The ranges have no negative numbers.
fn whole_seconds(number: i64) -> Duration {
    Duration::from_secs(number.unsigned_abs())
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}
