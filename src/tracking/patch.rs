//! Changes of profiles.

use super::model::{Profile, Scalar};
use compact_str::CompactString;

/// The most attributes of a profile.
pub const MAX_ATTRIBUTES: usize = 32;

/// A change of a profile: what to set and what to take away.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfilePatch {
    /// The status.
    pub status: Change<CompactString>,
    /// The vehicle type.
    pub vehicle_type: Change<CompactString>,
    /// The capacity.
    pub capacity: Change<u32>,
    /// Attributes by name; `None` takes one away.
    pub attributes: Vec<(CompactString, Option<Scalar>)>,
}

/// What a patch does to one member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leaves it.
    #[default]
    Keep,
    /// Gives it a value.
    Set(T),
    /// Takes it away.
    Remove,
}

impl<T: Clone> Change<T> {
    /// This change and then another.
    fn then(&self, later: &Self) -> Self {
        match later {
            Self::Keep => self.clone(),
            later => later.clone(),
        }
    }

    fn apply_to(&self, member: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *member = Some(value.clone()),
            Self::Remove => *member = None,
        }
    }
}

impl<T: ToString> Change<T> {
    /// The same change of a member that is text.
    #[must_use]
    pub fn to_text(&self) -> Change<String> {
        match self {
            Self::Keep => Change::Keep,
            Self::Set(value) => Change::Set(value.to_string()),
            Self::Remove => Change::Remove,
        }
    }
}

impl ProfilePatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The profile that this patch makes of another, for as long as Redis cannot be asked. `None` where it would have too
    /// many attributes.
    #[must_use]
    pub fn applied_to(&self, profile: Option<&Profile>) -> Option<Profile> {
        let mut profile = profile.cloned().unwrap_or_default();
        self.status.apply_to(&mut profile.status);
        self.vehicle_type.apply_to(&mut profile.vehicle_type);
        self.capacity.apply_to(&mut profile.capacity);
        for (name, value) in &self.attributes {
            match value {
                Some(value) => profile.attributes.insert(name.clone(), value.clone()),
                None => profile.attributes.remove(name),
            };
        }
        (profile.attributes.len() <= MAX_ATTRIBUTES).then_some(profile)
    }

    /// This patch and then another, as one.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let overwritten = |name: &CompactString| later.attributes.iter().any(|(other, _)| other == name);
        let kept = self.attributes.iter().filter(|(name, _)| !overwritten(name));
        Self {
            status: self.status.then(&later.status),
            vehicle_type: self.vehicle_type.then(&later.vehicle_type),
            capacity: self.capacity.then(&later.capacity),
            attributes: kept.chain(&later.attributes).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(status: Change<CompactString>, attributes: &[(&str, Option<bool>)]) -> ProfilePatch {
        let attribute = |(name, value): &(&str, Option<bool>)| (CompactString::new(name), value.map(Scalar::Bool));
        ProfilePatch {
            status,
            attributes: attributes.iter().map(attribute).collect(),
            ..ProfilePatch::default()
        }
    }

    #[test]
    fn two_patches_as_one_do_what_they_do_one_after_the_other() {
        let statuses = [Change::Keep, Change::Set("busy".into()), Change::Remove];
        let profile = patch(Change::Set("free".into()), &[("a", Some(true)), ("b", Some(true))]).applied_to(None);
        for earlier in &statuses {
            for later in &statuses {
                let earlier = patch(earlier.clone(), &[("a", Some(false)), ("c", Some(true))]);
                let later = patch(later.clone(), &[("a", None), ("d", Some(true))]);
                let in_turn = later.applied_to(earlier.applied_to(profile.as_ref()).as_ref());
                assert_eq!(earlier.then(&later).applied_to(profile.as_ref()), in_turn);
            }
        }
    }
}
