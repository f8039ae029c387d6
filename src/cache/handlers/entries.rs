//! One entry.

use super::super::portable_ticket::PortableTicket;
use super::super::{Cache, Entry, Level, Put, Stored};
use super::arguments::{FromValueBody, Key, Namespace, ValueBody};
use super::input::{self, PutBody, TouchBody};
use super::{CacheError, MAX_BODY, OVERHEAD, State};
use crate::cache::CacheSettings;
use crate::clock::whole_ms;
use crate::http::{AppData, Body, Fields, FromBody, Path, Problem, reply};
use crate::runtime::apart;
use actix_web::HttpResponse;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;
use utoipa::ToSchema;

/// Whether an entry is fresh.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CacheEntryState)]
enum EntryState {
    Fresh,
    Stale,
}

/// Where an entry was found.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CacheLevel)]
enum EntryLevel {
    Local,
    Shared,
}

/// An entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"value": {"cents": 1999}, "state": "fresh", "age_ms": 1200, "ttl_ms": 298_800, "ends_in_ms": 328_800, "level": "shared"}))]
pub struct EntryBody<'a> {
    /// The value: any JSON.
    #[schema(value_type = serde_json::Value)]
    value: &'a RawValue,
    /// `fresh`, or `stale`: its TTL has ended, and its writer allows it to be served longer.
    #[schema(value_type = EntryState)]
    state: &'static str,
    /// The time since it was written, or its computation began.
    age_ms: u64,
    /// For how long it stays fresh; 0 if it is stale.
    ttl_ms: u64,
    /// For how long it is served.
    ends_in_ms: u64,
    /// Where it was found: `local`, in this instance's own memory, or `shared`, in Redis.
    #[schema(value_type = EntryLevel)]
    level: &'static str,
}

impl<'a> EntryBody<'a> {
    /// # Errors
    /// [`CacheError::Corrupt`] if the value is not JSON.
    pub(super) fn new(entry: &'a Entry) -> Result<Self, CacheError> {
        let value = serde_json::from_slice(&entry.bytes).map_err(|_unspecific| CacheError::Corrupt)?;
        Ok(Self {
            value,
            state: if entry.is_fresh() { "fresh" } else { "stale" },
            age_ms: whole_ms(entry.age),
            ttl_ms: whole_ms(entry.fresh_for),
            ends_in_ms: whole_ms(entry.stale_for),
            level: match entry.level {
                Level::Local => "local",
                Level::Shared => "shared",
            },
        })
    }
}

/// A value to store, how it is stored, and the ticket that it was computed under.
pub struct Write {
    put: Put,
    ticket: Option<PortableTicket>,
    /// A slice of the body.
    value: Bytes,
}

impl FromValueBody for Write {
    fn max_bytes(settings: &CacheSettings) -> usize {
        let value = usize::try_from(settings.max_value_bytes).unwrap_or(usize::MAX);
        value.saturating_add(OVERHEAD)
    }

    fn read(body: &Bytes, cache: &Cache) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let value = fields.required_value("value");
        let put = input::put(&mut fields, cache.shared().settings());
        let ticket = input::ticket(&mut fields);
        let value = fields.finish(value)?;
        Ok(Self {
            put,
            ticket,
            value: body.slice_ref(value.get().as_bytes()),
        })
    }
}

/// For how long an entry is fresh from now on.
pub struct Touch(Duration);

impl FromBody for Touch {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, app: AppData<'_>) -> Result<Self, Problem> {
        let settings = app.get::<Cache>()?.shared().settings();
        let mut fields = Fields::parse(body)?;
        let ttl = input::ttl(&mut fields, settings);
        if ttl.is_none() {
            fields.refuse("ttl_s", "is missing");
        }
        fields.finish(ttl.map(Self))
    }
}

/// Get an entry
///
/// A Redis key of another type than a string reads as no entry, and is overwritten.
#[utoipa::path(
    get, path = "/v1/cache/{namespace}/{key}", operation_id = "get_cache_entry", tag = "cache",
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 200, description = "Found", body = EntryBody),
        (status = 404, description = "There is no such entry", body = Problem),
        (status = 409, description = "The stored value is not an entry, or not JSON (`cache_corrupt`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn get_entry(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
) -> Result<HttpResponse, Problem> {
    let entry = cache.get_bytes(&namespace, &key).await?;
    let entry = entry.ok_or_else(|| Problem::not_found("there is no such entry"))?;
    let length = entry.bytes.len();
    let write = move || reply::json_of(&EntryBody::new(&entry)?);
    Ok(reply::json(apart(length, write).await??))
}

/// Write an entry
///
/// Without a ticket the value is stored unconditionally, and a computation in progress does not overwrite it. A value that was computed
/// from data which may be older than the last invalidation is stored with a ticket that was taken before.
#[utoipa::path(
    put, path = "/v1/cache/{namespace}/{key}", operation_id = "put_cache_entry", tag = "cache", request_body = PutBody,
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 204, description = "Written"),
        (status = 409, description = "The ticket does not hold any more; nothing is stored (`cache_superseded`)", body = Problem),
        (status = 413, description = "The value is too large", body = Problem),
        (status = 422, description = "A member is not valid, such as a TTL of 0", body = Problem),
        (status = 503, description = "Redis is unavailable: the value may be stored", body = Problem),
    )
)]
pub async fn put_entry(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
    ValueBody(Write { put, ticket, value }): ValueBody<Write>,
) -> Result<HttpResponse, Problem> {
    let stored = match ticket {
        None => cache.store(&namespace, &key, &value, &put, None).await?,
        Some(carried) => match cache.adopt(&namespace, carried).await? {
            None => Stored::Superseded,
            ticket => cache.store(&namespace, &key, &value, &put, ticket).await?,
        },
    };
    match stored {
        Stored::Stored => Ok(HttpResponse::NoContent().finish()),
        Stored::Superseded => Err(Problem::conflict(
            "cache_superseded",
            "The value was superseded",
            "the key was written or deleted, or what the value depends on invalidated, since the ticket was taken",
        )),
    }
}

/// Extend the TTL of an entry
///
/// The value and the tags do not change.
#[utoipa::path(
    patch, path = "/v1/cache/{namespace}/{key}", operation_id = "touch_cache_entry", tag = "cache", request_body = TouchBody,
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 204, description = "The entry is fresh for this time from now on"),
        (status = 404, description = "There is no such entry", body = Problem),
        (status = 409, description = "The stored value is not an entry (`cache_corrupt`)", body = Problem),
        (status = 503, description = "Redis is unavailable", body = Problem),
    )
)]
pub async fn touch_entry(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
    Body(Touch(ttl)): Body<Touch>,
) -> Result<HttpResponse, Problem> {
    if cache.touch(&namespace, &key, ttl).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found("there is no such entry"))
    }
}

/// Delete an entry
///
/// The value of a computation in progress is not stored. The call is idempotent.
#[utoipa::path(
    delete, path = "/v1/cache/{namespace}/{key}", operation_id = "delete_cache_entry", tag = "cache",
    params(("namespace" = String, Path), ("key" = String, Path, description = "1 to 256 bytes of UTF-8, percent-encoded")),
    responses(
        (status = 204, description = "There is no such entry any more"),
        (status = 503, description = "Redis is unavailable: the entry may be deleted", body = Problem),
    )
)]
pub async fn delete_entry(
    Path((Namespace(namespace), Key(key))): Path<(Namespace, Key)>,
    cache: State,
) -> Result<HttpResponse, Problem> {
    cache.delete(&namespace, &key).await?;
    Ok(HttpResponse::NoContent().finish())
}
