//! A change of a profile as given by a client. [`ProfilePatch::at`] adds its time.

use super::profile::{Profile, Scalar};
use compact_str::CompactString;

pub use super::profile::MAX_ATTRIBUTES;

/// A change of a profile: the members to set and to remove.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfilePatch {
    /// The status.
    pub status: Change<CompactString>,
    /// The vehicle type.
    pub vehicle_type: Change<CompactString>,
    /// The capacity.
    pub capacity: Change<u32>,
    /// Attributes by name; `None` removes one.
    pub attributes: Vec<(CompactString, Option<Scalar>)>,
}

/// The change of one member by a patch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leaves the member as it is.
    #[default]
    Keep,
    /// Sets the member.
    Set(T),
    /// Removes the member.
    Remove,
}

impl<T> Change<T> {
    fn write(self, at_ms: i64, member: &mut Option<T>, time_ms: &mut i64) {
        match self {
            Self::Keep => {}
            Self::Set(value) => (*member, *time_ms) = (Some(value), at_ms),
            Self::Remove => *time_ms = at_ms,
        }
    }
}

impl ProfilePatch {
    /// Returns whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the change with the time at which all its members were set or removed.
    #[must_use]
    pub fn at(self, at_ms: i64) -> Profile {
        let mut profile = Profile::default();
        let times = &mut profile.times;
        self.status.write(at_ms, &mut profile.status, &mut times.status_ms);
        self.vehicle_type
            .write(at_ms, &mut profile.vehicle_type, &mut times.vehicle_type_ms);
        self.capacity
            .write(at_ms, &mut profile.capacity, &mut times.capacity_ms);
        for (name, value) in self.attributes {
            times.attributes_ms.insert(name.clone(), at_ms);
            if let Some(value) = value {
                profile.attributes.insert(name, value);
            }
        }
        profile
    }
}
