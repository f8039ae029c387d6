//! Positions, entities, queries and their answers.

use crate::Id;
use crate::geo::{BoundingBox, Point};
use compact_str::CompactString;
use std::sync::Arc;

pub use crate::profile::{Digits, Profile, Scalar};

/// A reported position of an entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// The place.
    pub point: Point,
    /// When it was there, Unix milliseconds UTC, by the sender's clock.
    pub timestamp_ms: i64,
    /// When it was received, Unix microseconds; 0 if that is not known. If two changes of an entity have the same timestamp, the one that
    /// was received later counts.
    pub received_us: i64,
    /// Radius of the 68 % confidence circle, metres.
    pub accuracy_m: Option<f32>,
    /// Height above the WGS 84 ellipsoid, metres.
    pub altitude_m: Option<f32>,
    /// Speed over ground, metres a second.
    pub speed_mps: Option<f32>,
    /// Course over ground, degrees clockwise from north, `0 ≤ h < 360`.
    pub heading_deg: Option<f32>,
}

impl Fix {
    /// Creates a fix of a place and a time, without measurements. The time of receipt is 0.
    #[must_use]
    pub const fn new(point: Point, timestamp_ms: i64) -> Self {
        Self {
            point,
            timestamp_ms,
            received_us: 0,
            accuracy_m: None,
            altitude_m: None,
            speed_mps: None,
            heading_deg: None,
        }
    }
}

/// The removal of an entity's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// As of when, Unix milliseconds UTC. Older fixes cannot restore the entity.
    pub at_ms: i64,
    /// When it was received, Unix microseconds, as in [`Fix`].
    pub received_us: i64,
}

/// An entity's latest fix with its profile, as queries answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Its id.
    pub id: Id,
    /// Its newest fix.
    pub fix: Fix,
    /// Its profile, if it has one.
    pub profile: Option<Arc<Profile>>,
}

/// An entity with its distance from the centre of the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The entity.
    pub entity: Entity,
    /// [Haversine distance](crate::geo::distance_m) on the mean earth radius, metres.
    pub distance_m: f64,
}

/// The conditions of a query; applied before its limit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only fixes of at most this age, milliseconds. A negative value excludes every entity.
    pub max_age_ms: Option<i64>,
    /// Only these statuses; empty means any.
    pub statuses: Vec<CompactString>,
    /// Only these vehicle types; empty means any.
    pub vehicle_types: Vec<CompactString>,
    /// Only entities with at least this capacity.
    pub min_capacity: Option<u32>,
}

impl Filter {
    /// Returns whether the filter has conditions on the profile.
    #[must_use]
    #[inline]
    pub fn needs_profile(&self) -> bool {
        !self.statuses.is_empty() || !self.vehicle_types.is_empty() || self.min_capacity.is_some()
    }

    /// Returns whether a profile meets the conditions. An entity without a profile passes only a filter without conditions on it.
    #[must_use]
    pub fn accepts(&self, profile: Option<&Profile>) -> bool {
        if !self.needs_profile() {
            return true;
        }
        let Some(profile) = profile else { return false };
        let one_of = |wanted: &[CompactString], word: &Option<CompactString>| {
            wanted.is_empty() || word.as_ref().is_some_and(|word| wanted.contains(word))
        };
        one_of(&self.statuses, &profile.status)
            && one_of(&self.vehicle_types, &profile.vehicle_type)
            && self
                .min_capacity
                .is_none_or(|least| profile.capacity.is_some_and(|has| has >= least))
    }
}

/// A query for the entities nearest to a place.
#[derive(Debug, Clone, PartialEq)]
pub struct NearbyQuery {
    /// The centre of the search.
    pub center: Point,
    /// The radius, metres. An entity exactly at the radius is included.
    pub radius_m: f64,
    /// The most entities to return.
    pub limit: usize,
    /// The conditions.
    pub filter: Filter,
}

/// A query for the entities in a box, by id.
#[derive(Debug, Clone, PartialEq)]
pub struct WithinQuery {
    /// The box.
    pub bounds: BoundingBox,
    /// The most entities to return.
    pub limit: usize,
    /// The conditions.
    pub filter: Filter,
    /// Only entities with an id after this one.
    pub after: Option<Id>,
}
