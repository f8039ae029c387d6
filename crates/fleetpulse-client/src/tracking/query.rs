use super::Entity;
use crate::call::Call;
use serde::{Deserialize, Serialize};

/// Restricts a query to some entities. Filters apply before the limit of the query.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Filter {
    /// Only entities with one of these statuses; all if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// Only entities with one of these vehicle types; all if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vehicle_type: Vec<String>,
    /// Only entities with at least this capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<u32>,
    /// Only entities whose position is at most this old, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<f64>,
}

/// A query for the entities that are nearest to a place.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NearbyQuery {
    /// Latitude of the place, degrees north.
    pub lat: f64,
    /// Longitude of the place, degrees east.
    pub lon: f64,
    /// Maximum distance, metres, up to 200,000; by default 2,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius_m: Option<f64>,
    /// Maximum number of results, up to 1,000; by default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Restricts the entities.
    #[serde(flatten)]
    pub filter: Filter,
}

/// The body of several queries.
#[derive(Serialize)]
pub(super) struct Queries<'a> {
    pub queries: &'a [NearbyQuery],
}

/// A query for the entities in a box. A box whose west is greater than its east crosses the antimeridian.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WithinQuery {
    /// Western edge, degrees east.
    pub west: f64,
    /// Southern edge, degrees north.
    pub south: f64,
    /// Eastern edge, degrees east.
    pub east: f64,
    /// Northern edge, degrees north.
    pub north: f64,
    /// The size of a page; by default 1,000.
    pub limit: Option<u32>,
    /// Restricts the entities.
    pub filter: Filter,
    /// The cursor of the previous page; `None` for the first page.
    pub cursor: Option<String>,
}

/// A result of a query for the nearest entities.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Hit {
    /// Distance from the place of the query, metres (haversine).
    pub distance_m: f64,
    /// The entity.
    #[serde(flatten)]
    pub entity: Entity,
}

/// The entities that are nearest to a place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Nearest {
    /// The entities, nearest first.
    pub results: Vec<Hit>,
    /// Whether the answer may miss recent updates, because Redis is unavailable or still being loaded.
    pub stale: bool,
    /// Whether results are missing because the answer would be too large.
    #[serde(default)]
    pub truncated: bool,
}

/// The nearest entities of several queries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct NearestLists {
    /// One list for each query, in the order of the queries.
    pub results: Vec<Vec<Hit>>,
    /// Whether the answer may miss recent updates, because Redis is unavailable or still being loaded.
    pub stale: bool,
    /// Whether the lists of the last queries are missing because the answer would be too large. Send these queries again.
    #[serde(default)]
    pub truncated: bool,
}

/// A page of the entities in a box.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// The entities, in order of id.
    pub results: Vec<Entity>,
    /// Whether the answer may miss recent updates, because Redis is unavailable or still being loaded.
    pub stale: bool,
    /// The cursor of the next page; `None` on the last page.
    pub cursor: Option<String>,
}

impl NearbyQuery {
    /// Creates a query with the default radius and limit from a latitude and a longitude, degrees.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Self {
        Self {
            lat,
            lon,
            ..Self::default()
        }
    }

    pub(super) fn add_to<'c>(&self, call: Call<'c>) -> Call<'c> {
        let call = call.query("lat", self.lat).query("lon", self.lon);
        let call = call.query_if("radius_m", self.radius_m).query_if("limit", self.limit);
        self.filter.add_to(call)
    }
}

impl WithinQuery {
    /// Creates a query for the first page of a box from its edges, degrees.
    #[must_use]
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Self {
        Self {
            west,
            south,
            east,
            north,
            ..Self::default()
        }
    }

    pub(super) fn add_to<'c>(&self, call: Call<'c>) -> Call<'c> {
        let [west, south, east, north] = [self.west, self.south, self.east, self.north];
        let call = call.query("bbox", format_args!("{west},{south},{east},{north}"));
        let call = call
            .query_if("limit", self.limit)
            .query_if("cursor", self.cursor.as_deref());
        self.filter.add_to(call)
    }
}

impl Filter {
    fn add_to<'c>(&self, call: Call<'c>) -> Call<'c> {
        let mut call = call.query_if("min_capacity", self.min_capacity);
        for status in &self.status {
            call = call.query("status", status);
        }
        for vehicle_type in &self.vehicle_type {
            call = call.query("vehicle_type", vehicle_type);
        }
        call.query_if("max_age_s", self.max_age_s)
    }
}
