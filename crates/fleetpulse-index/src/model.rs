//! What is tracked: a fix, an entity's profile, and a query's answer. Values here are already valid: parsing a client's
//! words into them is `tracking::input`'s work.

use crate::Id;
use crate::geo::{BoundingBox, Point};
use compact_str::CompactString;
use std::sync::Arc;

pub use crate::profile::{Digits, Profile, Scalar};

/// One report of where an entity is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// Where.
    pub point: Point,
    /// When, Unix milliseconds UTC, by the sender's clock.
    pub timestamp_ms: i64,
    /// When this service received it, Unix microseconds by the instance's clock; 0 before that. Of fixes and removals of one time that
    /// which was received last counts: here, in every replica and in Redis.
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

/// The removal of an entity's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// As of when, Unix milliseconds UTC. Fixes of before that cannot bring the entity back.
    pub at_ms: i64,
    /// When the service received it, as in [`Fix`].
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

/// An entity and how far it is from the place asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The entity.
    pub entity: Entity,
    /// Haversine distance on the mean earth radius, metres.
    pub distance_m: f64,
}

/// Which entities a query wants; applied before its limit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only fixes at most this old.
    pub max_age_ms: Option<i64>,
    /// Only these statuses; empty means any.
    pub statuses: Vec<CompactString>,
    /// Only these vehicle types; empty means any.
    pub vehicle_types: Vec<CompactString>,
    /// Only a capacity of at least this.
    pub min_capacity: Option<u32>,
}

impl Filter {
    /// Whether the filter looks at profiles at all.
    #[must_use]
    pub fn needs_profile(&self) -> bool {
        !self.statuses.is_empty() || !self.vehicle_types.is_empty() || self.min_capacity.is_some()
    }

    /// Whether a profile passes; an entity without one passes only a filter that asks nothing of it.
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

/// The nearest entities to a place.
#[derive(Debug, Clone, PartialEq)]
pub struct NearbyQuery {
    /// The place.
    pub center: Point,
    /// How far, metres, the boundary included.
    pub radius_m: f64,
    /// How many at the most.
    pub limit: usize,
    /// Which.
    pub filter: Filter,
}

/// A query for the entities in a box, by id.
#[derive(Debug, Clone, PartialEq)]
pub struct WithinQuery {
    /// The box.
    pub bounds: BoundingBox,
    /// The most entities to return.
    pub limit: usize,
    /// The filter.
    pub filter: Filter,
    /// Only entities with an id after this one.
    pub after: Option<Id>,
}
