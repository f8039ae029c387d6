//! The shapes of bodies, for `OpenAPI` alone: the handlers read and write them without these types.

#![expect(dead_code, reason = "read by the schema derive only")]

use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A position. Only `id`, `lat`, `lon` and `timestamp` decide whether it is accepted. Other members that are invalid are dropped with a
/// warning, and a number in quotes is read as a number. Members of other names are ignored. Names are case-insensitive. If a member is
/// given under several names, the first usable value counts, in the order listed below; `null` means "not known". One name given twice
/// is rejected for `id`, `lat`, `lon` and the time; for the other members the first value counts.
#[derive(ToSchema)]
#[schema(example = json!({"lat": 40.7484, "lon": -73.9857, "speed_mps": 8.3, "heading_deg": 211.0, "status": "available"}))]
pub(super) struct FixBody {
    /// Degrees north, WGS 84; from -85.05112878 to 85.05112878 (up to 0.000001 beyond is accepted as rounding). Also `latitude`.
    lat: f64,
    /// Degrees east; from -180 to 180 (up to 0.000001 beyond is accepted as rounding, and wrapped). Also `lng`, `longitude`.
    lon: f64,
    /// RFC 3339 or epoch milliseconds (a number that can only be seconds is read as seconds). Default: now. At most 60 s in the future,
    /// not before 2001-09-09. Also `timestamp_ms`, `time`, `ts`, `tst`, `recorded_at`.
    timestamp: Option<serde_json::Value>,
    /// Radius of the 68 % confidence circle, metres; -1 means "not known". Also `accuracy`, `acc`.
    accuracy_m: Option<f32>,
    /// Height above the ellipsoid, metres. Also `altitude`, `alt`.
    altitude_m: Option<f32>,
    /// Metres per second; -1 means "not known". Also `speed`.
    speed_mps: Option<f32>,
    /// Degrees clockwise from north, taken modulo 360; -1 means "not known". Also `heading`, `bearing`, `course`.
    heading_deg: Option<f32>,
    /// Updates the profile; 1 to 256 bytes without control characters.
    status: Option<String>,
    /// Updates the profile; 1 to 256 bytes without control characters.
    vehicle_type: Option<String>,
    /// Updates the profile; a whole number up to 1,000,000.
    capacity: Option<u32>,
    /// Updates the profile; at most 32 named strings, numbers and booleans.
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// A fix of a batch.
#[derive(ToSchema)]
pub(super) struct IdentifiedFix {
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`; not `.`, `..`, `nearby`, `within`, `positions`, `stream` or `density`.
    id: String,
    #[schema(inline)]
    #[serde(flatten)]
    fix: FixBody,
}

/// A batch: up to 10,000 fixes in an array, or an object with the array.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(example = json!([{"id": "d-1", "lat": 40.7484, "lon": -73.9857}, {"id": "d-2", "lat": 40.7527, "lon": -73.9772}]))]
pub(super) enum BatchBody {
    Fixes(Vec<IdentifiedFix>),
    Named { positions: Vec<IdentifiedFix> },
}

/// The latest fix of an entity.
#[derive(ToSchema)]
pub(super) struct PositionBody {
    id: String,
    lat: f64,
    lon: f64,
    /// How old the fix is, milliseconds.
    age_ms: u64,
    /// RFC 3339 with milliseconds, UTC.
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

/// An entity of a list.
#[derive(ToSchema)]
pub(super) struct HitBody {
    #[serde(flatten)]
    position: PositionBody,
    /// Haversine distance, metres; only where a place was asked about.
    distance_m: Option<f64>,
}

/// Entities that a query found.
#[derive(ToSchema)]
pub(super) struct ListBody {
    results: Vec<HitBody>,
    /// `live` or `redis`.
    source: String,
    /// Whether the answer may miss what other instances stored lately, because Redis is away or still being read.
    stale: bool,
    /// Whether there were more than the limit; only of boxes.
    truncated: Option<bool>,
    /// Cursor of the next page; only in answers for boxes, and absent on the last page.
    cursor: Option<String>,
}

/// One place of many to ask about.
#[derive(ToSchema)]
pub(super) struct QueryBody {
    lat: f64,
    /// Degrees east; values beyond ±180 are wrapped, up to ±540.
    lon: f64,
    /// 0 to 200,000; 2,000 if not given.
    radius_m: Option<f64>,
    /// 1 to 1,000; 10 if not given.
    limit: Option<u32>,
    max_age_s: Option<f64>,
    /// A word or an array of words.
    status: Option<serde_json::Value>,
    /// A word or an array of words.
    vehicle_type: Option<serde_json::Value>,
    min_capacity: Option<u32>,
}

/// Up to 1,000 places to ask about.
#[derive(ToSchema)]
#[schema(example = json!({"queries": [{"lat": 40.7484, "lon": -73.9857, "limit": 3}]}))]
pub(super) struct QueriesBody {
    queries: Vec<QueryBody>,
}

/// A list for each query, in order.
#[derive(ToSchema)]
pub(super) struct QueriesAnswer {
    results: Vec<Vec<HitBody>>,
    source: String,
    stale: bool,
}

/// What is known of an entity besides where it is.
#[derive(ToSchema)]
#[schema(example = json!({"status": "available", "vehicle_type": "sedan", "capacity": 4, "attributes": {"wheelchair": true}}))]
pub(super) struct ProfileBody {
    status: Option<String>,
    vehicle_type: Option<String>,
    capacity: Option<u32>,
    /// At most 32 strings, numbers and booleans by name.
    attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// The same of an entity that is named.
#[derive(ToSchema)]
pub(super) struct ProfileAnswer {
    id: String,
    #[serde(flatten)]
    profile: ProfileBody,
}
