use crate::FieldError;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A position to report. Members that are `None` are not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Position {
    /// Latitude, degrees north (WGS 84), −85.05112878 to 85.05112878.
    pub lat: f64,
    /// Longitude, degrees east, −180 to 180.
    pub lon: f64,
    /// When the entity was there; by default the time at which the service receives the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<DateTime<Utc>>,
    /// Radius of the 68 % confidence circle, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f32>,
    /// Height above the ellipsoid, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altitude_m: Option<f32>,
    /// Speed, metres per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mps: Option<f32>,
    /// Heading, degrees clockwise from north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading_deg: Option<f32>,
    /// Changes the status in the profile of the entity, such as `available`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Changes the vehicle type in the profile of the entity, such as `sedan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle_type: Option<String>,
    /// Changes the capacity in the profile of the entity, such as the number of seats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Changes the attributes in the profile of the entity: up to 32 strings, numbers and booleans.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
}

/// An element of a batch.
#[derive(Serialize)]
pub(super) struct IdentifiedPosition<'a> {
    id: &'a str,
    #[serde(flatten)]
    position: &'a Position,
}

impl Position {
    /// Creates a position without further members from a latitude and a longitude, degrees.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Self {
        Self {
            lat,
            lon,
            ..Self::default()
        }
    }

    pub(super) const fn with_id<'a>(&'a self, id: &'a str) -> IdentifiedPosition<'a> {
        let position = self;
        IdentifiedPosition { id, position }
    }
}

/// The outcome of a reported position.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reported {
    /// Whether the position is stored.
    pub outcome: ReportOutcome,
    /// Members of the position that were invalid and were dropped.
    #[serde(default)]
    pub warnings: Vec<FieldError>,
}

/// Whether a position is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportOutcome {
    /// The position is stored in Redis.
    Stored,
    /// The position is ignored: a newer one is stored, or it is older than its time to live.
    Stale,
    /// Redis is unavailable. The instance keeps the position in memory and stores it when Redis is available again.
    Buffered,
}

/// The outcome of a batch of positions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ReportedBatch {
    /// The number of positions that are stored.
    pub accepted: u64,
    /// The number of positions that are ignored because a newer one is stored, or because they are older than their time to live.
    pub stale: u64,
    /// The number of positions that the instance keeps in memory until Redis is available again.
    pub buffered: u64,
    /// The elements that are invalid.
    pub rejected: Vec<RejectedPosition>,
    /// The number of members that were invalid and were dropped from the other elements.
    #[serde(default)]
    pub warnings_total: u64,
}

/// An invalid element of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RejectedPosition {
    /// The index of the element, from 0.
    pub index: usize,
    /// The id of the entity, if it could be read.
    pub id: Option<String>,
    /// What is wrong with the element.
    pub detail: String,
}

/// The newest position of an entity, and its profile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Entity {
    /// The id of the entity.
    pub id: String,
    /// Latitude, degrees north (WGS 84).
    pub lat: f64,
    /// Longitude, degrees east.
    pub lon: f64,
    /// The age of the position, milliseconds.
    pub age_ms: u64,
    /// When the entity was there.
    pub timestamp: DateTime<Utc>,
    /// Radius of the 68 % confidence circle, metres.
    pub accuracy_m: Option<f32>,
    /// Height above the ellipsoid, metres.
    pub altitude_m: Option<f32>,
    /// Speed, metres per second.
    pub speed_mps: Option<f32>,
    /// Heading, degrees clockwise from north.
    pub heading_deg: Option<f32>,
    /// The status in the profile.
    pub status: Option<String>,
    /// The vehicle type in the profile.
    pub vehicle_type: Option<String>,
    /// The capacity in the profile.
    pub capacity: Option<u32>,
    /// The attributes in the profile.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}
