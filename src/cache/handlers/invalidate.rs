//! Tags that are invalidated, and events that invalidate by rules.

use super::super::Applied;
use super::{MAX_BODY, State};
use crate::cache::{Event, Tag};
use crate::http::{AppData, Body, FieldError, Fields, FromBody, Problem, TimeBody, reply};
use crate::ids::Id;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::ToSchema;

/// The maximum number of tags in one call.
const MAX_INVALIDATED: usize = 1_000;

/// Tags to invalidate.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"tags": ["product:7", "catalog"]}))]
pub(super) struct TagsBody {
    /// 1 to 1,000 tags.
    #[schema(min_items = 1, max_items = 1000)]
    tags: Vec<Id>,
}

/// An event of an entity.
#[expect(dead_code, reason = "read by the schema derive only")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "product.updated", "entity_id": "7", "entity_type": "product", "data": {"region": "eu"}, "timestamp": "2026-11-21T10:14:57.123Z"}))]
pub(super) struct EventBody {
    /// What happened; an id.
    r#type: Id,
    /// The entity; an id.
    entity_id: Id,
    /// The type of the entity; an id, which rules may use.
    entity_type: Option<Id>,
    /// Other data of the event. Rules may use its strings, integers and booleans.
    data: Option<HashMap<String, Value>>,
    /// When it happened: RFC 3339, or milliseconds since 1970. Now if not given or in the future.
    timestamp: Option<TimeBody>,
}

/// The effect of an event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CacheEventAnswer, example = json!({"targets": 2, "invalidated": 1}))]
pub(super) struct EventAnswer {
    /// The number of tags, namespaces and keys that the rules name for the event; 0 without a rule.
    targets: usize,
    /// How many of them it changed: keys whose entry was removed; tags and namespaces that entries depend on, or did a while ago, unless a
    /// later event had invalidated them already. It counts them even if no entry was old enough to become invalid.
    invalidated: u64,
}

impl From<Applied> for EventAnswer {
    fn from(applied: Applied) -> Self {
        Self {
            targets: applied.targets,
            invalidated: applied.invalidated,
        }
    }
}

/// The tags to invalidate.
pub struct Tags(Vec<Tag>);

impl FromBody for Tags {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let tags = fields.required("tags", |fields, name| fields.ids(name, MAX_INVALIDATED));
        let tags = fields.finish(tags)?;
        if tags.is_empty() {
            return Err(Problem::validation_failed(vec![FieldError::new(
                "tags",
                "must not be empty",
            )]));
        }
        Ok(Self(tags))
    }
}

/// An event, and when it happened.
pub struct Report {
    event: Event,
    /// In milliseconds since 1970. A later time than now counts as now.
    by_ms: u64,
}

impl FromBody for Report {
    const MAX_BYTES: usize = MAX_BODY;

    fn read(body: &Bytes, _: AppData<'_>) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let kind = fields.required("type", Fields::id);
        let entity = fields.required("entity_id", Fields::id);
        let entity_type = fields.id("entity_type");
        let data = fields.map("data").unwrap_or_default();
        let by_ms = fields.time("timestamp").map_or(Some(u64::MAX >> 11), |at| {
            let at = u64::try_from(at).ok();
            if at.is_none() {
                fields.refuse("timestamp", "must not be before 1970");
            }
            at
        });
        let event = kind.zip(entity).zip(by_ms);
        let ((kind, entity), by_ms) = fields.finish(event)?;
        let event = Event {
            kind,
            entity,
            entity_type,
            data,
        };
        Ok(Self { event, by_ms })
    }
}

/// Invalidate tags
///
/// One write for each tag, however many entries have it. Later calls get no value whose computation began before. The call is
/// idempotent.
#[utoipa::path(
    post, path = "/v1/cache/tags/invalidate", operation_id = "invalidate_cache_tags", tag = "cache", request_body = TagsBody,
    responses(
        (status = 204, description = "Entries with one of the tags are not served any more"),
        (status = 503, description = "Redis is unavailable: some of the tags may be invalidated", body = Problem),
    )
)]
pub async fn invalidate_tags(cache: State, Body(Tags(tags)): Body<Tags>) -> Result<HttpResponse, Problem> {
    cache.invalidate(&tags).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Report an event that invalidates entries
///
/// The rules (`CACHE_RULES`) define what an event invalidates. Entries whose computation began after the event stay, so a late or repeated
/// event does not affect them. Times are compared by the clock of Redis.
#[utoipa::path(
    post, path = "/v1/cache/events", operation_id = "report_cache_event", tag = "cache", request_body = EventBody,
    responses(
        (status = 200, description = "The effect of the event", body = EventAnswer),
        (status = 503, description = "Redis is unavailable: report the event again", body = Problem),
    )
)]
pub async fn report_event(cache: State, Body(Report { event, by_ms }): Body<Report>) -> Result<HttpResponse, Problem> {
    let targets = cache.targets(&event).map_err(|error| {
        let detail = format!("the rules cannot use this event: {error}");
        Problem::validation_failed(vec![FieldError::new(&error.member(), detail)])
    })?;
    let applied = cache.outdate(&targets, by_ms).await?;
    reply::value(StatusCode::OK, &EventAnswer::from(applied))
}
