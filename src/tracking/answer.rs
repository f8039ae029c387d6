//! Answers as JSON, written straight from what the live index gives.

use super::model::{Entity, Hit, Profile};
use super::stamp::Stamp;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// An entity as clients see it, flat.
#[derive(Debug, Clone, Copy)]
pub struct EntityView<'a> {
    /// The entity.
    pub entity: &'a Entity,
    /// How far it is, where a place was asked about.
    pub distance_m: Option<f64>,
    /// Now, for its age.
    pub now_ms: i64,
}

impl EntityView<'_> {
    fn members<M: SerializeMap>(&self, map: &mut M, with_place: bool) -> Result<(), M::Error> {
        let Entity { id, fix, profile } = self.entity;
        if with_place {
            map.serialize_entry("id", id.as_str())?;
            map.serialize_entry("lat", &fix.point.lat())?;
            map.serialize_entry("lon", &fix.point.lon())?;
        }
        if let Some(distance_m) = self.distance_m {
            // A position is no better than this; the digits behind cost more than they tell.
            map.serialize_entry("distance_m", &((distance_m * 1000.0).round() / 1000.0))?;
        }
        map.serialize_entry("age_ms", &(self.now_ms - fix.timestamp_ms).max(0))?;
        map.serialize_entry("timestamp", &Stamp(fix.timestamp_ms))?;
        optional(map, "accuracy_m", fix.accuracy_m)?;
        optional(map, "altitude_m", fix.altitude_m)?;
        optional(map, "speed_mps", fix.speed_mps)?;
        optional(map, "heading_deg", fix.heading_deg)?;
        profile
            .as_deref()
            .map_or(Ok(()), |profile| profile_members(profile, map))
    }
}

fn optional<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, &value))
}

fn profile_members<M: SerializeMap>(profile: &Profile, map: &mut M) -> Result<(), M::Error> {
    optional(map, "status", profile.status.as_ref())?;
    optional(map, "vehicle_type", profile.vehicle_type.as_ref())?;
    optional(map, "capacity", profile.capacity)?;
    if !profile.attributes.is_empty() {
        map.serialize_entry("attributes", &profile.attributes)?;
    }
    Ok(())
}

impl Serialize for EntityView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.members(&mut map, true)?;
        map.end()
    }
}

/// A profile by itself.
#[derive(Debug, Clone, Copy)]
pub struct ProfileView<'a> {
    /// Whose.
    pub id: &'a str,
    /// What.
    pub profile: &'a Profile,
}

impl Serialize for ProfileView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id)?;
        profile_members(self.profile, &mut map)?;
        map.end()
    }
}

/// An entity as a `GeoJSON` feature.
struct FeatureView<'a>(EntityView<'a>);

impl Serialize for FeatureView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Geometry<'a>(&'a Entity);
        impl Serialize for Geometry<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("type", "Point")?;
                map.serialize_entry("coordinates", &[self.0.fix.point.lon(), self.0.fix.point.lat()])?;
                map.end()
            }
        }
        struct Properties<'a>(EntityView<'a>);
        impl Serialize for Properties<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                self.0.members(&mut map, false)?;
                map.end()
            }
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("type", "Feature")?;
        map.serialize_entry("id", self.0.entity.id.as_str())?;
        map.serialize_entry("geometry", &Geometry(self.0.entity))?;
        map.serialize_entry("properties", &Properties(self.0))?;
        map.end()
    }
}

/// A list of entities with what is to be known of the list.
#[derive(Debug, Clone, Copy)]
pub struct ListView<'a> {
    /// The entities, in order.
    pub found: Found<'a>,
    /// Where they were looked for: `live` or `redis`.
    pub source: &'static str,
    /// Whether the answer may miss what other instances stored lately.
    pub stale: bool,
    /// Whether there were more than the limit, where that is told.
    pub truncated: Option<bool>,
    /// Now, for ages.
    pub now_ms: i64,
    /// Whether as RFC 7946.
    pub geojson: bool,
}

/// What a query found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// With distances.
    Hits(&'a [Hit]),
    /// Without.
    Entities(&'a [Entity]),
}

impl Found<'_> {
    fn serialize_views<S: Serializer>(&self, serializer: S, now_ms: i64, geojson: bool) -> Result<S::Ok, S::Error> {
        let len = match self {
            Self::Hits(hits) => hits.len(),
            Self::Entities(entities) => entities.len(),
        };
        let mut seq = serializer.serialize_seq(Some(len))?;
        let mut put = |entity, distance_m| {
            let view = EntityView {
                entity,
                distance_m,
                now_ms,
            };
            if geojson {
                seq.serialize_element(&FeatureView(view))
            } else {
                seq.serialize_element(&view)
            }
        };
        match self {
            Self::Hits(hits) => hits.iter().try_for_each(|hit| put(&hit.entity, Some(hit.distance_m)))?,
            Self::Entities(entities) => entities.iter().try_for_each(|entity| put(entity, None))?,
        }
        seq.end()
    }
}

/// The entities of a list as a JSON array.
#[derive(Debug, Clone, Copy)]
pub struct ArrayView<'a> {
    /// The entities, in order.
    pub found: Found<'a>,
    /// Now, for ages.
    pub now_ms: i64,
    /// Whether as features.
    pub geojson: bool,
}

impl Serialize for ArrayView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.found.serialize_views(serializer, self.now_ms, self.geojson)
    }
}

impl Serialize for ListView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.geojson {
            map.serialize_entry("type", "FeatureCollection")?;
        }
        let array = ArrayView {
            found: self.found,
            now_ms: self.now_ms,
            geojson: self.geojson,
        };
        map.serialize_entry(if self.geojson { "features" } else { "results" }, &array)?;
        map.serialize_entry("source", self.source)?;
        map.serialize_entry("stale", &self.stale)?;
        optional(&mut map, "truncated", self.truncated)?;
        map.end()
    }
}

impl ListView<'_> {
    /// The answer's body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let len = match self.found {
            Found::Hits(hits) => hits.len(),
            Found::Entities(entities) => entities.len(),
        };
        let mut json = Vec::with_capacity(64 + 192 * len);
        // Numbers and text into memory: there is nothing in this that can fail.
        let _ = serde_json::to_writer(&mut json, self);
        json
    }
}
