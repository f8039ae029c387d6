//! The record of one entity, packed: a million of them fit into 100 MB.

use super::tree::NOWHERE;
use crate::Id;
use crate::geo::Point;
use crate::model::{Entity, Fix, Profile, Removed};
use std::sync::Arc;

/// An entity, or the tombstone of one.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: Id,
    point: Point,
    /// When the fix was taken, or the entity removed, Unix milliseconds.
    pub(super) timestamp_ms: i64,
    /// Unix microseconds, as in [`Fix`] and [`Removed`].
    pub(super) received_us: i64,
    // NaN stands for absent: an Option would cost four bytes more, each.
    accuracy_m: f32,
    altitude_m: f32,
    speed_mps: f32,
    heading_deg: f32,
    /// Boxed, because many entities have no profile.
    pub(super) profile: Option<Box<HeldProfile>>,
    /// The leaf of the tree that contains the entity; [`NOWHERE`] makes it a tombstone.
    pub(super) leaf: u32,
    /// The reload during which the store last confirmed this entity.
    pub(super) generation: u16,
    /// The reload in which, or after which, its profile was last read from the store; [`NEVER_READ`] before the first time.
    pub(super) profile_generation: u16,
    /// The position, or the removal, is not yet known to be in the store.
    pub(super) unsaved: bool,
}

/// The `profile_generation` before the first reading; no reload has this number.
pub(super) const NEVER_READ: u16 = 0;

/// A profile as read from the store, with the members that the store does not have yet.
#[derive(Debug, Default)]
pub(super) struct HeldProfile {
    /// The profile as it was last read from the store.
    pub(super) saved: Option<Arc<Profile>>,
    /// The number of the batch that changed it last, as of that reading.
    pub(super) version: u64,
    /// The members that are not yet known to be in the store.
    pub(super) unsaved: Option<Arc<Profile>>,
    /// Both combined, as shown in answers; `None` where no member has a value.
    pub(super) shown: Option<Arc<Profile>>,
}

impl HeldProfile {
    /// Recomputes `shown` from the other fields.
    pub(super) fn update_shown(&mut self) {
        self.shown = match (&self.saved, &self.unsaved) {
            (saved, None) => saved.clone(),
            (None, unsaved) => unsaved.clone(),
            (Some(saved), Some(unsaved)) => {
                let mut profile = Profile::clone(saved);
                profile.join(unsaved);
                Some(Arc::new(profile))
            }
        }
        .filter(|profile| !profile.is_blank());
    }
}

impl Record {
    pub(super) fn new(id: Id, fix: &Fix) -> Self {
        let mut record = Self {
            id,
            point: fix.point,
            timestamp_ms: fix.timestamp_ms,
            received_us: fix.received_us,
            accuracy_m: f32::NAN,
            altitude_m: f32::NAN,
            speed_mps: f32::NAN,
            heading_deg: f32::NAN,
            profile: None,
            leaf: NOWHERE,
            generation: 0,
            profile_generation: NEVER_READ,
            unsaved: false,
        };
        record.set_fix(fix);
        record
    }

    /// Creates the record of an entity that was removed before it was known. No answer shows its place.
    pub(super) fn tombstone(id: Id, removed: Removed) -> Self {
        let fix = Fix {
            received_us: removed.received_us,
            ..Fix::new(Point::NULL_ISLAND, removed.at_ms)
        };
        Self::new(id, &fix)
    }

    pub(super) fn set_fix(&mut self, fix: &Fix) {
        self.point = fix.point;
        self.timestamp_ms = fix.timestamp_ms;
        self.received_us = fix.received_us;
        self.accuracy_m = fix.accuracy_m.unwrap_or(f32::NAN);
        self.altitude_m = fix.altitude_m.unwrap_or(f32::NAN);
        self.speed_mps = fix.speed_mps.unwrap_or(f32::NAN);
        self.heading_deg = fix.heading_deg.unwrap_or(f32::NAN);
    }

    pub(super) fn has_unsaved_profile(&self) -> bool {
        self.profile.as_deref().is_some_and(|held| held.unsaved.is_some())
    }

    pub(super) const fn is_live(&self) -> bool {
        self.leaf != NOWHERE
    }

    pub(super) const fn point(&self) -> Point {
        self.point
    }

    pub(super) fn fix(&self) -> Fix {
        let given = |value: f32| (!value.is_nan()).then_some(value);
        Fix {
            point: self.point,
            timestamp_ms: self.timestamp_ms,
            received_us: self.received_us,
            accuracy_m: given(self.accuracy_m),
            altitude_m: given(self.altitude_m),
            speed_mps: given(self.speed_mps),
            heading_deg: given(self.heading_deg),
        }
    }

    pub(super) fn profile(&self) -> Option<&Arc<Profile>> {
        self.profile.as_ref()?.shown.as_ref()
    }

    pub(super) fn entity(&self) -> Entity {
        Entity {
            id: self.id.clone(),
            fix: self.fix(),
            profile: self.profile().cloned(),
        }
    }

    /// Returns whether anything of this entity is to be written to the store.
    pub(super) fn has_unsaved(&self) -> bool {
        self.unsaved || self.has_unsaved_profile()
    }

    /// Returns the memory that it holds besides the record itself, bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        /// Ids of up to this length are part of the record.
        const INLINE: usize = 24;
        let id = if self.id.len() > INLINE { self.id.len() } else { 0 };
        let profile = self.profile.as_ref().map_or(0, |held| {
            // The texts of a profile may be shared with the caller that set it, and are not counted.
            // Without unsaved members `shown` is `saved`.
            let profiles = usize::from(held.saved.is_some()) + 2 * usize::from(held.unsaved.is_some());
            size_of::<HeldProfile>() + profiles * (size_of::<Profile>() + 16)
        });
        id + profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small() {
        // Of the 200 bytes that an entity may take, tree and id map need about 45.
        assert!(size_of::<Record>() <= 96, "{}", size_of::<Record>());
    }

    #[test]
    fn a_fix_is_read_as_it_was_written() {
        let fix = Fix {
            point: Point::new(1.5, 2.5).unwrap(),
            timestamp_ms: 7,
            received_us: 8,
            accuracy_m: Some(3.0),
            altitude_m: None,
            speed_mps: Some(0.0),
            heading_deg: None,
        };
        assert_eq!(Record::new(Id::parse("a").unwrap(), &fix).fix(), fix);
    }
}
