//! Counters.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]

use super::super::{Cache, Counter};
use super::arguments::{Key, Namespace};
use super::input::{self, TtlClassBody};
use super::{MAX_BODY, State};
use crate::cache::TtlClass;
use crate::clock::whole_ms;
use crate::http::{AppData, Body, Fields, FromBody, IdempotencyKey, Path, Problem, REPLAYED, WithBytes, reply};
use crate::once::Once;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The maximum that is added in one call: 2^53 − 1.
const MOST: i64 = 9_007_199_254_740_991;

/// An addition to a counter.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"by": 1, "ttl_s": 3600}))]
pub(super) struct CountBody {
    /// How much, ±(2^53 − 1); 1 if not given.
    #[schema(minimum = -9007199254740991.0, maximum = 9007199254740991.0, default = 1)]
    by: Option<i64>,
    /// The TTL in seconds of a counter that begins now, 1 to 2,678,400 (31 days); by default that of the class `default`. Alternatives are
    /// `ttl_ms` and `ttl_class`. Later calls do not change the expiry.
    #[schema(minimum = 1, maximum = 2678400)]
    ttl_s: Option<u32>,
    /// The TTL in milliseconds, 1 to 2,678,400,000.
    #[schema(minimum = 1, maximum = 2678400000.0)]
    ttl_ms: Option<u64>,
    /// `static`, `dynamic`, `session`, `realtime` or `default`: a TTL of the service's settings.
    ttl_class: Option<TtlClassBody>,
}

/// The amount that is added to a counter, and the TTL of the counter if it is created.
pub struct Addition {
    by: i64,
    ttl: Duration,
}

impl FromBody for Addition {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem> {
        let settings = app.get::<Cache>()?.shared().settings();
        let mut fields = Fields::parse_optional(body)?;
        let by = fields.integer("by", -MOST..=MOST).unwrap_or(1);
        let ttl = input::ttl(&mut fields, settings).unwrap_or_else(|| settings.ttl(TtlClass::Default));
        fields.finish(Some(Self { by, ttl }))
    }
}

/// A counter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"value": 7, "ends_in_ms": 3_599_000}))]
pub(super) struct CounterBody {
    /// Its value.
    value: i64,
    /// The time until it expires.
    ends_in_ms: u64,
}

impl From<Counter> for CounterBody {
    fn from(counter: Counter) -> Self {
        Self {
            value: counter.value,
            ends_in_ms: whole_ms(counter.ends_in),
        }
    }
}

/// Add to a counter
///
/// A counter begins at 0, and its expiry is set when it begins. A call whose answer was lost may have counted. With an `Idempotency-Key` it
/// can be repeated within a day, counts once, and gets the same answer.
#[utoipa::path(
    post, path = "/v1/cache/counters/{namespace}/{key}", operation_id = "add_to_counter", tag = "cache", request_body = Option<CountBody>,
    params(
        ("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header),
    ),
    responses(
        (status = 200, description = "Counted", body = CounterBody, headers(
            ("Idempotent-Replayed" = String, description = "`true` if a call with the same key was counted before; otherwise absent"),
        )),
        (status = 409, description = "The counter would exceed ±(2^53 - 1) (`counter_range`), or the stored value is not a counter (`no_counter`)", body = Problem),
        (status = 422, description = "A member is not valid, or the idempotency key was used with another body", body = Problem),
        (status = 503, description = "Redis is unavailable: the call may be counted", body = Problem),
    )
)]
pub async fn count(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    IdempotencyKey(once): IdempotencyKey,
    cache: State,
    Body(WithBytes { value, bytes }): Body<WithBytes<Addition>>,
) -> Result<HttpResponse, Problem> {
    let once = once.map(|once| Once::new(&["count", &namespace, &key], &once, &bytes));
    let Addition { by, ttl } = value;
    let (counter, before) = cache.incr_once(&namespace, &key, by, ttl, once.as_ref()).await?;
    let mut response = reply::value(StatusCode::OK, &CounterBody::from(counter))?;
    if before {
        let (name, value) = REPLAYED;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Get a counter
#[utoipa::path(
    get, path = "/v1/cache/counters/{namespace}/{key}", operation_id = "get_counter", tag = "cache",
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 200, description = "Found", body = CounterBody),
        (status = 404, description = "There is no such counter", body = Problem),
        (status = 409, description = "The stored value is not a counter (`no_counter`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_counter(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
) -> Result<HttpResponse, Problem> {
    let counter = cache.counter(&namespace, &key).await?;
    let counter = counter.ok_or_else(|| Problem::not_found("there is no such counter"))?;
    reply::value(StatusCode::OK, &CounterBody::from(counter))
}

/// Delete a counter
#[utoipa::path(
    delete, path = "/v1/cache/counters/{namespace}/{key}", operation_id = "delete_counter", tag = "cache",
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 204, description = "There is no such counter any more"),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn delete_counter(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
) -> Result<HttpResponse, Problem> {
    cache.delete_counter(&namespace, &key).await?;
    Ok(HttpResponse::NoContent().finish())
}
