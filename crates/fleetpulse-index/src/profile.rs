//! The profile of an entity: a last-write-wins map. Each member carries the time at which it was set, and the newest value wins, so that
//! members may arrive late, twice or from several senders.
//!
//! A profile with only some of its members also represents a change; [`Profile::join`] applies it. A removed member keeps its time, so
//! that an older value that arrives late does not restore it. The floor is the time of the last PUT or DELETE: older values are
//! ignored.

use compact_str::{CompactString, ToCompactString};
use serde::de::IgnoredAny;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The most attributes of a profile.
pub const MAX_ATTRIBUTES: usize = 32;

/// How far ahead of the clock a time may be, milliseconds. A time further ahead was written before the clock was set back, and any
/// value replaces it. A store should use the same bound.
pub const MAX_AHEAD_MS: i64 = 60_000;

/// The properties of an entity besides its position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Free text such as `available` or `busy`.
    pub status: Option<CompactString>,
    /// Free text such as `sedan` or `scooter`.
    pub vehicle_type: Option<CompactString>,
    /// The number of seats, or of any other unit.
    pub capacity: Option<u32>,
    /// Up to [`MAX_ATTRIBUTES`] named values.
    pub attributes: BTreeMap<CompactString, Scalar>,
    /// When each member was set.
    pub times: Times,
}

/// A profile as read from the store, with the number of the batch that changed it last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionedProfile {
    /// The profile; empty if there is none.
    pub profile: Profile,
    /// The number of the batch; 0 if there is none.
    pub version: u64,
}

/// When the members of a profile were set or removed, Unix milliseconds; 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Values older than this are ignored.
    pub floor_ms: i64,
    /// The time of the status.
    pub status_ms: i64,
    /// The time of the vehicle type.
    pub vehicle_type_ms: i64,
    /// The time of the capacity.
    pub capacity_ms: i64,
    /// The times of the attributes, removed ones included.
    pub attributes_ms: BTreeMap<CompactString, i64>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(CompactString),
    /// A number, as it was written.
    Number(Digits),
    /// A boolean.
    Bool(bool),
}

/// A JSON number as its sender wrote it: no digit of it is lost in a `double`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(CompactString);

impl Digits {
    /// Reads a JSON number; `None` if it is none.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let is_json = is_number && serde_json::from_str::<IgnoredAny>(json).is_ok();
        (is_json && !json.ends_with(|last: char| last.is_ascii_whitespace())).then(|| Self(CompactString::new(json)))
    }

    /// The number as JSON.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<i64> for Digits {
    fn from(number: i64) -> Self {
        Self(number.to_compact_string())
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(Digits(digits)) => serde_json::from_str::<&RawValue>(digits)
                .map_err(S::Error::custom)?
                .serialize(serializer),
        }
    }
}

impl Scalar {
    /// Returns the value as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Number(digits) => digits.as_str().to_owned(),
            // Text and booleans always serialise.
            _ => serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// Parses a value from JSON text. Returns `None` if it is not a scalar.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        match json {
            "true" => Some(Self::Bool(true)),
            "false" => Some(Self::Bool(false)),
            _ if json.starts_with('"') => serde_json::from_str(json).ok().map(Self::Text),
            _ => Digits::parse(json).map(Self::Number),
        }
    }
}

impl Profile {
    /// Returns whether no member has a value.
    #[must_use]
    #[inline]
    pub fn is_blank(&self) -> bool {
        self.status.is_none() && self.vehicle_type.is_none() && self.capacity.is_none() && self.attributes.is_empty()
    }

    /// Applies each member of `later` that is not older than the value here. Returns false if attributes were left out because there
    /// would be more than [`MAX_ATTRIBUTES`].
    pub fn join(&mut self, later: &Self) -> bool {
        let new = &later.times;
        if new.floor_ms > self.times.floor_ms {
            self.raise_floor(new.floor_ms);
        }
        let floor_ms = self.times.floor_ms;
        let times = &mut self.times;
        let newer = |time_ms: i64, known_ms: i64| time_ms > 0 && time_ms >= floor_ms.max(known_ms);
        if newer(new.status_ms, times.status_ms) {
            (self.status, times.status_ms) = (later.status.clone(), new.status_ms);
        }
        if newer(new.vehicle_type_ms, times.vehicle_type_ms) {
            (self.vehicle_type, times.vehicle_type_ms) = (later.vehicle_type.clone(), new.vehicle_type_ms);
        }
        if newer(new.capacity_ms, times.capacity_ms) {
            (self.capacity, times.capacity_ms) = (later.capacity, new.capacity_ms);
        }
        let fresh = |(name, time_ms): &(&CompactString, &i64)| {
            newer(**time_ms, self.times.attributes_ms.get(*name).copied().unwrap_or(0))
        };
        let fresh: Vec<_> = new.attributes_ms.iter().filter(fresh).collect();
        // Removals come first, so that the order in which a change is applied never makes it fail.
        let (set, removed): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .partition(|(name, _)| later.attributes.contains_key(*name));
        for (name, time_ms) in removed {
            self.attributes.remove(name);
            self.times.attributes_ms.insert(name.clone(), *time_ms);
        }
        let mut fits = true;
        for (name, time_ms) in set {
            if self.attributes.len() >= MAX_ATTRIBUTES && !self.attributes.contains_key(name) {
                fits = false;
            } else if let Some(value) = later.attributes.get(name) {
                self.attributes.insert(name.clone(), value.clone());
                self.times.attributes_ms.insert(name.clone(), *time_ms);
            }
        }
        fits
    }

    /// Returns the members that are newer here than in `other`; `None` if there are none. Times after `latest_ms` are not trusted and
    /// are left out.
    #[must_use]
    pub fn newer_than(&self, other: &Self, latest_ms: i64) -> Option<Self> {
        let (times, known) = (&self.times, &other.times);
        let newer = |time_ms: i64, known_ms: i64| time_ms <= latest_ms && time_ms > known_ms.max(known.floor_ms);
        let mut part = Self::default();
        if newer(times.floor_ms, 0) {
            part.times.floor_ms = times.floor_ms;
        }
        if newer(times.status_ms, known.status_ms) {
            (part.status, part.times.status_ms) = (self.status.clone(), times.status_ms);
        }
        if newer(times.vehicle_type_ms, known.vehicle_type_ms) {
            (part.vehicle_type, part.times.vehicle_type_ms) = (self.vehicle_type.clone(), times.vehicle_type_ms);
        }
        if newer(times.capacity_ms, known.capacity_ms) {
            (part.capacity, part.times.capacity_ms) = (self.capacity, times.capacity_ms);
        }
        for (name, time_ms) in &times.attributes_ms {
            if newer(*time_ms, known.attributes_ms.get(name).copied().unwrap_or(0)) {
                part.times.attributes_ms.insert(name.clone(), *time_ms);
                if let Some(value) = self.attributes.get(name) {
                    part.attributes.insert(name.clone(), value.clone());
                }
            }
        }
        (part.times != Times::default()).then_some(part)
    }

    /// Limits the times of all members to `now_ms`.
    pub fn not_after(&mut self, now_ms: i64) {
        let times = &mut self.times;
        let members = [
            &mut times.floor_ms,
            &mut times.status_ms,
            &mut times.vehicle_type_ms,
            &mut times.capacity_ms,
        ];
        for time_ms in members.into_iter().chain(times.attributes_ms.values_mut()) {
            *time_ms = (*time_ms).min(now_ms);
        }
    }

    fn raise_floor(&mut self, floor_ms: i64) {
        let times = &mut self.times;
        times.floor_ms = floor_ms;
        if times.status_ms < floor_ms {
            (self.status, times.status_ms) = (None, 0);
        }
        if times.vehicle_type_ms < floor_ms {
            (self.vehicle_type, times.vehicle_type_ms) = (None, 0);
        }
        if times.capacity_ms < floor_ms {
            (self.capacity, times.capacity_ms) = (None, 0);
        }
        times.attributes_ms.retain(|_, time_ms| *time_ms >= floor_ms);
        self.attributes.retain(|name, _| times.attributes_ms.contains_key(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Generates a change of one member: its name, its time, and its value unless it is removed.
    fn change() -> impl Strategy<Value = Profile> {
        let value = prop::option::of(0..50_u32);
        (0..5_u8, 1..1_000_i64, value).prop_map(|(member, time_ms, value)| {
            let mut change = Profile::default();
            let word = value.map(|value| CompactString::from(value.to_string()));
            match member {
                0 => (change.status, change.times.status_ms) = (word, time_ms),
                1 => (change.capacity, change.times.capacity_ms) = (value, time_ms),
                2 => change.times.floor_ms = time_ms,
                name => {
                    let name = CompactString::from(name.to_string());
                    change.times.attributes_ms.insert(name.clone(), time_ms);
                    if let Some(word) = word {
                        change.attributes.insert(name, Scalar::Text(word));
                    }
                }
            }
            change
        })
    }

    fn joined<'a>(changes: impl IntoIterator<Item = &'a Profile>) -> Profile {
        let mut profile = Profile::default();
        for change in changes {
            assert!(profile.join(change));
        }
        profile
    }

    proptest! {
        #[test]
        fn neither_the_order_nor_repetition_of_changes_matters(
            (changes, shuffled) in prop::collection::vec(change(), 0..20)
                // All times differ: at equal times the later arrival wins, and order matters.
                .prop_filter("times differ", |changes| {
                    let mut times: Vec<_> = changes.iter().map(latest).collect();
                    times.sort_unstable();
                    times.windows(2).all(|pair| pair[0] != pair[1])
                })
                .prop_flat_map(|changes| (Just(changes.clone()), Just(changes).prop_shuffle())),
        ) {
            let once = joined(&changes);
            prop_assert_eq!(&joined(&shuffled), &once);
            prop_assert_eq!(&joined(changes.iter().chain(&shuffled)), &once);
            prop_assert_eq!(once.newer_than(&once, i64::MAX), None);
        }

        #[test]
        fn what_is_newer_makes_up_the_difference(
            one in prop::collection::vec(change(), 0..12),
            other in prop::collection::vec(change(), 0..12),
        ) {
            let (one, mut other) = (joined(&one), joined(&other));
            if let Some(part) = one.newer_than(&other, i64::MAX) {
                other.join(&part);
            }
            prop_assert_eq!(one.newer_than(&other, i64::MAX), None);
        }
    }

    fn latest(profile: &Profile) -> i64 {
        let times = &profile.times;
        let attributes = times.attributes_ms.values().copied().max().unwrap_or(0);
        times
            .floor_ms
            .max(times.status_ms)
            .max(times.capacity_ms)
            .max(attributes)
    }

    #[test]
    fn attributes_beyond_the_limit_are_left_out_and_the_rest_is_taken() {
        let attributes = |names: std::ops::Range<usize>, time_ms: i64| {
            let mut profile = Profile::default();
            for name in names {
                let name = CompactString::from(format!("a{name:02}"));
                profile.attributes.insert(name.clone(), Scalar::Bool(true));
                profile.times.attributes_ms.insert(name, time_ms);
            }
            profile
        };
        let mut profile = attributes(0..32, 1);
        let mut more = attributes(31..33, 2);
        more.status = Some("busy".into());
        more.times.status_ms = 2;
        assert!(!profile.join(&more));
        assert_eq!(
            (profile.attributes.len(), profile.status.as_deref()),
            (32, Some("busy"))
        );
        assert_eq!(profile.times.attributes_ms["a31"], 2);
        more.times.attributes_ms.insert("a00".into(), 3);
        assert!(profile.join(&more), "one out and one in");
        assert!(profile.attributes.contains_key("a32"));
    }

    #[test]
    fn a_time_that_is_not_trusted_is_not_newer() {
        let mut ahead = Profile::default();
        ahead.times.status_ms = 100;
        assert_eq!(ahead.newer_than(&Profile::default(), 99), None);
        assert!(ahead.newer_than(&Profile::default(), 100).is_some());
    }
}
