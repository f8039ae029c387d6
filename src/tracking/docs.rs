//! The schemas of bodies, for the `OpenAPI` document only: the handlers read and write them without these types.

#![expect(clippy::unreadable_literal, reason = "the schema derive reads no separators")]
#![expect(dead_code, reason = "read by the schema derive only")]

use crate::http::TimeBody;
use crate::ids::Id;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

/// The place and extent of a query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NearbyParams {
    /// Degrees north.
    #[param(minimum = -85.05112878, maximum = 85.05112878, example = 40.7484)]
    lat: f64,
    /// Degrees east; values beyond ±180 are wrapped.
    #[param(minimum = -540, maximum = 540, example = -73.9857)]
    lon: f64,
    /// The radius, metres.
    #[param(minimum = 0, maximum = 200000, default = 2000.0)]
    radius_m: Option<f64>,
    /// Maximum number of entities in the response.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<u32>,
    /// `live` (the replica of this instance) or `redis` (GEOSEARCH).
    #[param(default = "live")]
    source: Option<SourceBody>,
}

/// A box, and a page of the entities in it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WithinParams {
    /// `west,south,east,north` in degrees.
    #[param(
        format = "bbox",
        pattern = r"^ *[-+0-9.eE]+ *(, *[-+0-9.eE]+ *){3}$",
        example = "-74.02,40.70,-73.93,40.80"
    )]
    bbox: String,
    /// Maximum number of entities in the response.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
    /// `cursor` of the previous answer; kind, bbox and filters must be the same.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// The filter of a query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterParams {
    /// Only positions that are at most this many seconds old.
    #[param(minimum = 0, maximum = 1000000000.0)]
    max_age_s: Option<f64>,
    /// Only entities of one of these statuses; repeat the parameter for several.
    #[param(max_items = 32)]
    status: Option<Vec<String>>,
    /// Only entities of one of these types; repeat the parameter for several.
    #[param(max_items = 32)]
    vehicle_type: Option<Vec<String>>,
    /// Only entities of at least this capacity.
    #[param(maximum = 4294967295.0)]
    min_capacity: Option<u32>,
}

/// The members of each entity in an answer.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FieldsParam {
    /// The members to return, separated by commas; default: all. The id is always returned.
    #[param(
        pattern = r"^(id|lat|lon|distance_m|age_ms|timestamp|accuracy_m|altitude_m|speed_mps|heading_deg|status|vehicle_type|capacity|attributes)(,(id|lat|lon|distance_m|age_ms|timestamp|accuracy_m|altitude_m|speed_mps|heading_deg|status|vehicle_type|capacity|attributes))*$",
        example = "lat,lon,distance_m"
    )]
    fields: Option<String>,
}

/// The id of an entity.
#[derive(ToSchema)]
#[schema(
    value_type = String, min_length = 1, max_length = 128, example = "d-1",
    pattern = r"^(?!(\.|\.\.|nearby|within|positions|stream|density)$)[A-Za-z0-9._:@-]+$"
)]
pub struct EntityId(pub Id);

/// A text of a profile: 1 to 256 bytes without control characters.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$", example = "available")]
pub(super) struct ProfileText(String);

/// The outcome of a position, or of its deletion (only `buffered`).
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PositionOutcome)]
pub(super) enum OutcomeWord {
    Stored,
    Stale,
    Buffered,
}

/// The source of an answer: `live`, the replica of the instance, or `redis`.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Source)]
pub(super) enum SourceBody {
    Live,
    Redis,
}

/// Up to 32 texts.
#[derive(ToSchema)]
#[schema(value_type = Vec<String>, max_items = 32)]
pub(super) struct WordList(Vec<String>);

/// A text, or up to 32 texts of which one has to match.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Words)]
pub(super) enum WordsBody {
    One(String),
    Any(#[schema(inline)] WordList),
}

/// Up to 32 strings, numbers and booleans by name.
fn attributes() -> Schema {
    let value = ObjectBuilder::new().schema_type(SchemaType::from_iter([
        Type::String,
        Type::Number,
        Type::Boolean,
        Type::Null,
    ]));
    let mut attributes: Object = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .max_properties(Some(32))
        .description(Some(
            "Up to 32 strings, numbers and booleans by name; names have 1 to 64 bytes, texts up to 256.",
        ))
        .build();
    attributes.additional_properties = Some(Box::new(AdditionalProperties::from(value)));
    attributes.into()
}

/// A position. Only `id`, `lat`, `lon` and `timestamp` decide whether it is accepted. Other members that are invalid are dropped with a
/// warning, and a number in quotes is read as a number. Members of other names are ignored. Names are case-insensitive. If a member is
/// given under several names, the first usable value counts, in the order listed below; `null` means "not known". One name given twice
/// is rejected for `id`, `lat`, `lon` and the time; for the other members the first value counts.
#[derive(ToSchema)]
#[schema(example = json!({"lat": 40.7484, "lon": -73.9857, "speed_mps": 8.3, "heading_deg": 211.0, "status": "available"}))]
pub(super) struct FixBody {
    /// Degrees north, WGS 84; from -85.05112878 to 85.05112878 (up to 0.000001 beyond is accepted as rounding). Also `latitude`.
    #[schema(minimum = -85.05112878, maximum = 85.05112878)]
    lat: f64,
    /// Degrees east; from -180 to 180 (up to 0.000001 beyond is accepted as rounding, and wrapped). Also `lng`, `longitude`.
    #[schema(minimum = -180, maximum = 180)]
    lon: f64,
    /// RFC 3339 or epoch milliseconds (a number that can only be seconds is read as seconds). Default: now. At most 60 s in the future,
    /// not before 2001-09-09. Also `timestamp_ms`, `time`, `ts`, `tst`, `recorded_at`.
    timestamp: Option<TimeBody>,
    /// Radius of the 68 % confidence circle, metres; -1 means "not known". Also `accuracy`, `acc`.
    #[schema(minimum = -1, maximum = 10000000)]
    accuracy_m: Option<f32>,
    /// Height above the ellipsoid, metres. Also `altitude`, `alt`.
    #[schema(minimum = -100000, maximum = 1000000)]
    altitude_m: Option<f32>,
    /// Metres per second; -1 means "not known". Also `speed`.
    #[schema(minimum = -1, maximum = 10000)]
    speed_mps: Option<f32>,
    /// Degrees clockwise from north, taken modulo 360; -1 means "not known". Also `heading`, `bearing`, `course`.
    #[schema(format = "degrees")]
    heading_deg: Option<f32>,
    /// Updates the profile; 1 to 256 bytes without control characters.
    status: Option<ProfileText>,
    /// Updates the profile; 1 to 256 bytes without control characters.
    vehicle_type: Option<ProfileText>,
    /// Updates the profile; a whole number up to 1,000,000.
    #[schema(maximum = 1000000)]
    capacity: Option<u32>,
    /// Updates the profile; at most 32 named strings, numbers and booleans.
    #[schema(schema_with = attributes)]
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// A position of a batch.
#[derive(ToSchema)]
pub(super) struct IdentifiedFix {
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`; not `.`, `..`, `nearby`, `within`, `positions`, `stream` or `density`.
    id: EntityId,
    #[schema(inline)]
    #[serde(flatten)]
    fix: FixBody,
}

/// The positions of a batch.
#[derive(ToSchema)]
#[schema(value_type = Vec<IdentifiedFix>, max_items = 10000)]
pub(super) struct FixList(Vec<IdentifiedFix>);

/// A batch: up to 10,000 positions in an array, or an object with the array.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(example = json!([{"id": "d-1", "lat": 40.7484, "lon": -73.9857}, {"id": "d-2", "lat": 40.7527, "lon": -73.9772}]))]
pub(super) enum BatchBody {
    Fixes(#[schema(inline)] FixList),
    Named {
        #[schema(max_items = 10000)]
        positions: Vec<IdentifiedFix>,
    },
}

/// The latest position of an entity.
#[derive(ToSchema)]
pub(super) struct PositionBody {
    id: String,
    lat: f64,
    lon: f64,
    /// The age of the position, milliseconds.
    age_ms: u64,
    /// RFC 3339 with milliseconds, UTC.
    #[schema(format = DateTime)]
    timestamp: String,
    accuracy_m: Option<f32>,
    altitude_m: Option<f32>,
    speed_mps: Option<f32>,
    heading_deg: Option<f32>,
    status: Option<String>,
    vehicle_type: Option<String>,
    capacity: Option<u32>,
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// An entity of a list: its id, and the members that `fields` names, or all.
#[derive(ToSchema)]
pub(super) struct HitBody {
    id: String,
    #[schema(required = false)]
    lat: f64,
    #[schema(required = false)]
    lon: f64,
    /// Haversine distance from the place of the query, metres; only in answers to such queries.
    distance_m: Option<f64>,
    /// The age of the position, milliseconds.
    #[schema(required = false)]
    age_ms: u64,
    /// RFC 3339 with milliseconds, UTC.
    #[schema(required = false, format = DateTime)]
    timestamp: String,
    accuracy_m: Option<f32>,
    altitude_m: Option<f32>,
    speed_mps: Option<f32>,
    heading_deg: Option<f32>,
    status: Option<String>,
    vehicle_type: Option<String>,
    capacity: Option<u32>,
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// The entities that a query found.
#[derive(ToSchema)]
pub(super) struct ListBody {
    results: Vec<HitBody>,
    /// `live` or `redis`.
    source: SourceBody,
    /// Whether the answer may miss what other instances stored recently, because Redis is unavailable or still being loaded.
    stale: bool,
    /// Whether there are more entities than the limit, or than fit into the answer. In answers to nearby queries only present if they
    /// did not fit.
    truncated: Option<bool>,
    /// Cursor of the next page; only in answers for boxes, and absent on the last page.
    cursor: Option<String>,
}

/// A query of a list.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBody {
    #[schema(minimum = -85.05112878, maximum = 85.05112878)]
    lat: f64,
    /// Degrees east; values beyond ±180 are wrapped, up to ±540.
    #[schema(minimum = -540, maximum = 540)]
    lon: f64,
    /// The radius, metres; 0 to 200,000, default 2,000.
    #[schema(minimum = 0, maximum = 200000, default = 2000.0)]
    radius_m: Option<f64>,
    /// Maximum number of entities in the response; 1 to 1,000, default 10.
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    limit: Option<u32>,
    #[schema(minimum = 0, maximum = 1000000000.0)]
    max_age_s: Option<f64>,
    /// One status or type, or an array of them.
    status: Option<WordsBody>,
    /// One status or type, or an array of them.
    vehicle_type: Option<WordsBody>,
    #[schema(maximum = 1000000000.0)]
    min_capacity: Option<u32>,
}

/// Up to 1,000 queries.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"queries": [{"lat": 40.7484, "lon": -73.9857, "limit": 3}]}))]
pub(super) struct QueriesBody {
    #[schema(max_items = 1000)]
    queries: Vec<QueryBody>,
}

/// A list for each query, in order.
#[derive(ToSchema)]
pub(super) struct QueriesAnswer {
    results: Vec<Vec<HitBody>>,
    source: SourceBody,
    stale: bool,
    /// True if the lists of the last queries are missing because they did not fit into the answer; otherwise absent.
    truncated: Option<bool>,
}

/// The profile of an entity.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"status": "available", "vehicle_type": "sedan", "capacity": 4, "attributes": {"wheelchair": true}}))]
pub(super) struct ProfileBody {
    status: Option<ProfileText>,
    vehicle_type: Option<ProfileText>,
    #[schema(maximum = 1000000)]
    capacity: Option<u32>,
    #[schema(schema_with = attributes)]
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// The profile of an entity, with its id.
#[derive(ToSchema)]
pub(super) struct ProfileAnswer {
    id: String,
    status: Option<String>,
    vehicle_type: Option<String>,
    capacity: Option<u32>,
    #[schema(schema_with = attributes)]
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}
