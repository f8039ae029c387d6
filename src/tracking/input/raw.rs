//! A position as it came: its members by what they mean, not yet judged.

use super::loose::{Loose, Text};
use super::names::{Member, Name};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The most fixes in a batch.
pub(super) const MAX_BATCH: usize = 10_000;

/// The members of a fix that mean something to us, as they came. Others are read and dropped.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawFix<'a> {
    id: Option<Loose<'a>>,
    lat: Option<Loose<'a>>,
    lon: Option<Loose<'a>>,
    timestamp: Option<Loose<'a>>,
    accuracy: Option<Loose<'a>>,
    altitude: Option<Loose<'a>>,
    speed: Option<Loose<'a>>,
    heading: Option<Loose<'a>>,
    pub(super) profile: RawProfile<'a>,
    /// The rank of the name that each of the above came under.
    ranks: [u8; Member::ALL.len()],
    /// The names of each member that were given, a bit for each rank.
    seen: [u8; Member::ALL.len()],
    /// The members of which one name was given twice, a bit for each; the first value is kept.
    repeated: u16,
    /// Values under a further name of a member, and all under names that are not in lower case: at most two for each name.
    others: Vec<Other<'a>>,
    /// Set where the value was no object at all: what it was.
    pub(super) not_an_object: Option<&'static str>,
}

/// The members of a profile.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RawProfile<'a> {
    pub(super) status: Option<Loose<'a>>,
    pub(super) vehicle_type: Option<Loose<'a>>,
    pub(super) capacity: Option<Loose<'a>>,
    pub(super) attributes: Option<Loose<'a>>,
}

/// A value that counts only if the preferred one is of no use.
#[derive(Debug, PartialEq)]
struct Other<'a> {
    name: Name,
    /// The name as it was written, if not in lower case.
    written: Option<Cow<'a, str>>,
    value: Loose<'a>,
}

impl<'a> RawFix<'a> {
    /// What a device sends that reads as no object.
    fn no_object(what: &'static str) -> Self {
        Self {
            not_an_object: Some(what),
            ..Self::default()
        }
    }

    /// Reads what the parser stops at although it is JSON: a number that no double holds, half of a surrogate pair, deep
    /// nesting. Where it stands in a member that decides nothing, only that member is of no use.
    ///
    /// # Errors
    /// The parser's, for all else.
    pub(super) fn read_member_by_member(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<ByMember<'a>>(json).map(|ByMember(fix)| fix)
    }

    /// The members of which one name was given twice.
    pub(super) fn repeated(&self) -> impl Iterator<Item = Member> {
        let repeated = self.repeated;
        Member::ALL
            .into_iter()
            .filter(move |member| repeated & (1 << *member as u8) != 0)
    }

    /// What `read` makes of the first value of a member, in the order of its names, that it can use. A value that it makes
    /// nothing of says as little as `null`, and a later one counts.
    ///
    /// # Errors
    /// That of the first value, if `read` can use none.
    pub(super) fn read<T, E>(
        &self,
        member: Member,
        mut read: impl FnMut(&Loose<'a>) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let preferred = self.get(member).filter(|value| **value != Loose::Null);
        if self.others.is_empty() {
            return preferred.map_or(Ok(None), read);
        }
        let rank = self.ranks[member as usize];
        let mut values: Vec<(u8, bool, &Loose<'a>)> = self
            .others
            .iter()
            .filter(|other| other.name.member == member && other.value != Loose::Null)
            .map(|other| (other.name.rank, other.written.is_some(), &other.value))
            .chain(preferred.map(|value| (rank, false, value)))
            .collect();
        values.sort_by_key(|(rank, is_other_case, _)| (*rank, *is_other_case));
        let mut fault = None;
        for (_, _, value) in values {
            match read(value) {
                Ok(None) => {}
                Ok(Some(read)) => return Ok(Some(read)),
                Err(error) => drop(fault.get_or_insert(error)),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    /// The members of the profile; each that came in another case alone is in its place then.
    pub(super) fn profile(&mut self) -> &mut RawProfile<'a> {
        for other in std::mem::take(&mut self.others) {
            let slot = match other.name.member {
                Member::Status => &mut self.profile.status,
                Member::VehicleType => &mut self.profile.vehicle_type,
                Member::Capacity => &mut self.profile.capacity,
                Member::Attributes => &mut self.profile.attributes,
                _ => continue,
            };
            if matches!(slot, None | Some(Loose::Null)) {
                *slot = Some(other.value);
            }
        }
        &mut self.profile
    }

    fn take(&mut self, written: Cow<'a, str>, value: Loose<'a>) {
        if let Some(name) = Name::exact(&written) {
            self.take_exact(name, value);
        } else if let Some(name) = Name::in_any_case(&written) {
            self.take_in_other_case(name, written, value);
        }
    }

    fn take_exact(&mut self, name: Name, value: Loose<'a>) {
        let index = name.member as usize;
        let bit = 1 << name.rank;
        if self.seen[index] & bit != 0 {
            self.repeated |= 1 << index;
            return;
        }
        self.seen[index] |= bit;
        if self.get(name.member).is_none() {
            self.ranks[index] = name.rank;
            *self.slot(name.member) = Some(value);
            return;
        }
        self.others.push(Other {
            name,
            written: None,
            value,
        });
    }

    /// Of several spellings of one name the first counts.
    #[cold]
    fn take_in_other_case(&mut self, name: Name, written: Cow<'a, str>, value: Loose<'a>) {
        let held = self
            .others
            .iter()
            .find_map(|other| (other.name == name).then_some(other.written.as_ref()?));
        match held {
            Some(held) if *held == written => self.repeated |= 1 << name.member as u8,
            Some(_) => {}
            None => self.others.push(Other {
                name,
                written: Some(written),
                value,
            }),
        }
    }

    const fn get(&self, member: Member) -> Option<&Loose<'a>> {
        match member {
            Member::Id => &self.id,
            Member::Lat => &self.lat,
            Member::Lon => &self.lon,
            Member::Timestamp => &self.timestamp,
            Member::Accuracy => &self.accuracy,
            Member::Altitude => &self.altitude,
            Member::Speed => &self.speed,
            Member::Heading => &self.heading,
            Member::Status => &self.profile.status,
            Member::VehicleType => &self.profile.vehicle_type,
            Member::Capacity => &self.profile.capacity,
            Member::Attributes => &self.profile.attributes,
        }
        .as_ref()
    }

    const fn slot(&mut self, member: Member) -> &mut Option<Loose<'a>> {
        match member {
            Member::Id => &mut self.id,
            Member::Lat => &mut self.lat,
            Member::Lon => &mut self.lon,
            Member::Timestamp => &mut self.timestamp,
            Member::Accuracy => &mut self.accuracy,
            Member::Altitude => &mut self.altitude,
            Member::Speed => &mut self.speed,
            Member::Heading => &mut self.heading,
            Member::Status => &mut self.profile.status,
            Member::VehicleType => &mut self.profile.vehicle_type,
            Member::Capacity => &mut self.profile.capacity,
            Member::Attributes => &mut self.profile.attributes,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawFix<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawFixVisitor)
    }
}

struct RawFixVisitor;

/// What is no object is remembered, not an error of the parser: one bad element must not spoil a batch.
macro_rules! not_an_object {
    ($($visit:ident($type:ty) => $name:literal),+ $(,)?) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(RawFix::no_object($name))
        })+
    };
}

impl<'de> Visitor<'de> for RawFixVisitor {
    type Value = RawFix<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    not_an_object! {
        visit_bool(bool) => "a boolean",
        visit_i64(i64) => "a number",
        visit_u64(u64) => "a number",
        visit_f64(f64) => "a number",
        visit_str(&str) => "a string",
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(RawFix::no_object("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Loose<'de>>()?.is_some() {}
        Ok(RawFix::no_object("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fix = RawFix::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            fix.take(name, map.next_value()?);
        }
        Ok(fix)
    }
}

/// A position whose members are read one by one.
struct ByMember<'a>(RawFix<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for ByMember<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByMemberVisitor).map(Self)
    }
}

struct ByMemberVisitor;

impl<'de> Visitor<'de> for ByMemberVisitor {
    type Value = RawFix<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fix = RawFix::default();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Ok(Text(name)) = serde_json::from_str(name.get()) else {
                continue;
            };
            let known = Name::exact(&name).or_else(|| Name::in_any_case(&name));
            let value = match serde_json::from_str(value.get()) {
                Ok(value) => value,
                Err(error) if known.is_some_and(|name| name.member.decides()) => return Err(A::Error::custom(error)),
                Err(_) => Loose::Unreadable,
            };
            fix.take(name, value);
        }
        Ok(fix)
    }
}
